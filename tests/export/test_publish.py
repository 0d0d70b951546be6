"""A bundle is whole and true, or is not there."""

from __future__ import annotations

import json
import stat
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError, ParityBroken
from export.histories import GOLDEN, awkward_histories
from export.parity import TOLERANCE
from export.publish import publish, take_the_place_of
from service.bundle import ModelBundle
from service.models.opening import open_model
from service.settings import Settings
from training.artefacts import ArtefactMismatch, ArtefactMissing, read_record, save_model
from training.dataset import Dataset
from training.evaluation.evaluate import evaluate
from training.evaluation.metrics import summary
from training.evaluation.repeat_offset import fit_repeat_offset, repeat_aware_ranks
from training.evaluation.scoring import scorer_of
from training.two_tower import TwoTower


def test_the_service_opens_it_and_its_self_test_passes(bundle_folder: Path) -> None:
    model = open_model(Settings(bundle=bundle_folder))
    assert len(model.bundle.catalog) == 60


def test_the_manifest_says_what_it_is(bundle: ModelBundle, dataset: Dataset, run: Path, student: TwoTower) -> None:
    manifest, record = bundle.manifest, read_record(run)
    assert manifest.model_version.startswith("sasrec-A0-")
    assert (manifest.catalog.size, manifest.catalog.fingerprint) == (60, dataset.catalog.fingerprint)
    assert (manifest.encoder.max_history, manifest.encoder.width) == (12, 16)
    assert manifest.student.parameters == student.parameters_count
    assert manifest.student.config == record.config
    assert manifest.student.config_hash == record.config_hash
    assert (manifest.data.name, manifest.data.fingerprint) == ("synthetic", dataset.fingerprint)
    assert (manifest.data.split, manifest.data.split_fingerprint) == ("leave-one-out", dataset.split.fingerprint)
    assert manifest.parity.histories >= 1000
    assert manifest.parity.max_abs_diff <= manifest.parity.tolerance == TOLERANCE
    assert manifest.parity.top_n_overlap == manifest.retrieval.recall == 1


def test_its_metrics_are_those_of_evaluate(bundle: ModelBundle, dataset: Dataset, run: Path) -> None:
    (found,) = evaluate([run], dataset, with_floors=False).values()
    stated = dict(bundle.manifest.offline_metrics)
    assert list(stated) == ["unmasked", "masked", "repeat_aware"]
    del stated["repeat_aware"]
    assert stated == found


def test_its_offset_is_fitted_on_held_out_users_and_measured_on_the_test_users(
    bundle: ModelBundle, dataset: Dataset, student: TwoTower
) -> None:
    scorer, interactions = scorer_of(student), dataset.interactions
    offset = fit_repeat_offset(scorer, dataset)
    ranks = repeat_aware_ranks(scorer, interactions, dataset.split.test, offset)
    assert bundle.manifest.repeat_offset == offset
    assert bundle.manifest.offline_metrics["repeat_aware"] == summary(ranks)


def test_popular_is_by_train_counts_alone(bundle: ModelBundle, dataset: Dataset) -> None:
    count = dict.fromkeys(range(1, 61), 0)
    for user in range(len(dataset.interactions.user_ids)):
        first = dataset.interactions.offsets[user]
        for item in dataset.interactions.item[first : first + dataset.split.train_end[user]].tolist():
            count[item] += 1
    wanted = sorted(count, key=lambda item: (-count[item], item))
    assert bundle.popular.tolist() == wanted
    everything = np.bincount(dataset.interactions.item, minlength=61)[1:]
    assert wanted != (np.argsort(-everything, kind="stable") + 1).tolist()  # the test part would show


def test_cards_and_ids_are_the_catalogue_s(bundle: ModelBundle, dataset: Dataset) -> None:
    assert list(bundle.catalog) == list(dataset.catalog)
    assert [bundle.card(index) for index in range(1, 61)] == [item.card() for item in dataset.items]


def test_golden_holds_the_awkward_histories_first(bundle: ModelBundle) -> None:
    awkward = awkward_histories(60, 12)
    assert bundle.golden.history.shape == (GOLDEN, 12)
    assert np.array_equal(bundle.golden.history[: len(awkward)], awkward)
    assert bundle.golden.items.shape == bundle.golden.scores.shape == (GOLDEN, 20)


def test_again_gives_the_same_version_in_place_of_the_old_and_leaves_nothing_beside_it(
    run: Path, bundle_copy: Path, bundle: ModelBundle
) -> None:
    (bundle_copy / "left over").touch()
    manifest = publish(run, None, bundle_copy).manifest
    assert manifest.model_version == bundle.manifest.model_version
    assert {path.name for path in bundle_copy.iterdir()} == {path.name for path in bundle.folder.iterdir()}
    assert [path.name for path in bundle_copy.parent.iterdir()] == [bundle_copy.name]
    assert stat.S_IMODE(bundle_copy.stat().st_mode) == 0o755


def test_a_student_that_cannot_be_proven_leaves_the_old_bundle(
    run: Path, student: TwoTower, bundle_copy: Path, dataset: Dataset, tmp_path: Path
) -> None:
    broken, numberless = tmp_path / "broken", deepcopy(student)
    numberless.get_parameter("encoder.norm.weight").data.fill_(float("nan"))
    save_model(broken, numberless, read_record(run))
    before = {path.name: path.read_bytes() for path in bundle_copy.iterdir()}
    with pytest.raises(ParityBroken):
        publish(broken, dataset.folder, bundle_copy)
    assert {path.name: path.read_bytes() for path in bundle_copy.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "bundle"]


def test_a_student_of_another_data_set_is_refused(run: Path, other_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ArtefactMismatch, match="catalog_fingerprint differ"):
        publish(run, other_dataset.folder, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_teacher_is_refused(run: Path, tmp_path: Path, dataset: Dataset) -> None:
    page = json.loads((run / "model.json").read_text()) | {"kind": "teacher"}
    (tmp_path / "model.json").write_text(json.dumps(page))
    with pytest.raises(ArtefactMismatch, match="holds a teacher, not a student"):
        publish(tmp_path, dataset.folder, tmp_path / "bundle")


def test_a_folder_without_a_student_is_named(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(ArtefactMissing, match=str(tmp_path)):
        publish(tmp_path, dataset.folder, tmp_path / "bundle")


def test_a_folder_of_something_else_is_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ExportError, match="is no bundle: it is left as it is"):
        publish(run, None, tmp_path)
    assert (tmp_path / "diary.txt").read_text() == "dear diary"


def test_a_place_where_no_folder_can_be_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=r"file/bundle cannot be written"):
        publish(run, None, tmp_path / "file" / "bundle")


def test_an_old_bundle_comes_back_when_the_new_one_cannot_take_its_place(bundle_copy: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take_the_place_of(bundle_copy, bundle_copy.with_name("vanished"))
    ModelBundle.read(bundle_copy)
    assert [path.name for path in bundle_copy.parent.iterdir()] == [bundle_copy.name]
