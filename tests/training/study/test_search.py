import json
from pathlib import Path

import pytest

from training.artefacts import RECORD, read_record
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, load_student
from training.distillation.recipe import DistillConfig
from training.evaluation.selection import selection_half, validation_ndcg
from training.fitting import FitConfig
from training.knowledge import gather
from training.study.search import RESULT, TRIAL, SearchConfig, SearchPlan, SearchResult, Trial, best_point, search
from training.teachers.steps import load_teacher


@pytest.fixture
def base(small_encoder: CausalEncoderConfig) -> DistillConfig:
    fit = FitConfig(epochs=3, learning_rate=1e-2, rows_per_batch=512, device="cpu")
    return DistillConfig(student={"encoder": small_encoder.model_dump()}, fit=fit)


def test_every_combination_is_a_recipe(base: DistillConfig) -> None:
    config = SearchConfig(base=base, grid={"weight": [1, 4], "student.encoder.dropout": [0.1, 0.3, 0.5]})
    recipes = [config.recipe(point) for point in config.points()]
    assert len({one.hash for one in recipes}) == 6
    assert {one.weight for one in recipes} == {1, 4}
    for one in recipes:
        encoder = one.student["encoder"]
        assert isinstance(encoder, dict)
        assert encoder["max_history"] == 8  # what the grid does not name stays


@pytest.mark.parametrize(
    ("path", "said"), [("wieght", "wieght"), ("fit.epoch", r"fit\.epoch"), ("weight.deeper", "weight has no parts")]
)
def test_a_path_that_no_recipe_has_is_refused(base: DistillConfig, path: str, said: str) -> None:
    config = SearchConfig(base=base, grid={path: [1]})
    with pytest.raises(ConfigError, match=said):
        config.recipe({path: 1})


def test_validation_decides_and_what_is_done_is_not_done_again(
    markov: Dataset, base: DistillConfig, tmp_path: Path
) -> None:
    config = SearchConfig(base=base, grid={"fit.learning_rate": [1e-6, 1e-2]})
    plan = SearchPlan(Assignment("sasrec", "A0", None), markov.folder, tmp_path, jobs=2)
    found = search(plan, config)
    assert found.best.fit.learning_rate == 1e-2  # the other one cannot have learnt anything
    assert [one.point["fit.learning_rate"] for one in found.trials] == [1e-2, 1e-6]
    assert found.trials[0].validation > found.trials[1].validation
    rows = selection_half(markov.split.validation)
    trained = {
        DistillConfig.from_values(read_record(one).recipe, one.name).hash: one
        for one in (tmp_path / "trials").iterdir()
    }
    for one in found.trials:
        assert one.by_protocol["unmasked"] == pytest.approx(one.validation)  # by which the epoch was picked
        student, record = load_student(trained[config.recipe(one.point).hash], markov)
        assert one.weights_sha256 == record.weights_sha256
        assert one.by_protocol["masked"] == validation_ndcg(student, markov, rows, "masked")
    assert found.trials[0].by_protocol["masked"] != found.trials[0].by_protocol["unmasked"]
    assert SearchResult.model_validate_json((tmp_path / RESULT).read_bytes()) == found
    before = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("model.safetensors")}
    assert search(plan, config) == found
    assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("model.safetensors")} == before
    for folder in list((tmp_path / "trials").iterdir()):  # as a version left it whose recipes had fewer parts
        record = json.loads((folder / RECORD).read_text("utf-8"))
        del record["recipe"]["fit"]["averaging"]
        (folder / RECORD).write_text(json.dumps(record), "utf-8")
        folder.rename(folder.with_name(f"older-{folder.name}"))
    assert search(plan, config) == found
    assert all(one.name.startswith("older-") for one in (tmp_path / "trials").iterdir())


def test_a_trial_of_another_row_or_of_other_teachers_is_another_trial(
    markov: Dataset, noise: Dataset, base: DistillConfig, both_known: Path, id_teacher: Path, tmp_path: Path
) -> None:
    config = SearchConfig(base=base, grid={"fit.learning_rate": [1e-2]})
    last = tmp_path / "the last of both"  # both are UniSRec
    gather(markov, [load_teacher(id_teacher, markov)], last)
    asked: list[tuple[str, Path | None]] = [
        ("A0", None), ("A4", both_known), ("A7", both_known), ("A2", both_known), ("A4", last), ("A1", last)
    ]  # fmt: skip

    def trial(row: str, knowledge: Path | None, dataset: Dataset = markov) -> str:
        plan = SearchPlan(Assignment("sasrec", row, knowledge), dataset.folder, tmp_path / "search")
        (found,) = search(plan, config).trials
        return found.weights_sha256

    found = {one: trial(*one) for one in asked}
    assert {one: trial(*one) for one in asked} == found
    assert trial("A0", both_known) == found["A0", None]  # who hears nobody does not mind who is there
    assert found["A2", both_known] == found["A4", last] == found["A1", last]  # one teacher, whatever it is called
    assert len({*found.values()}) == 4
    assert len([*(tmp_path / "search" / "trials").iterdir()]) == len(asked)
    assert trial("A0", None, noise) not in found.values()


def test_what_was_told_of_other_weights_is_told_anew(markov: Dataset, base: DistillConfig, tmp_path: Path) -> None:
    config = SearchConfig(base=base, grid={"fit.learning_rate": [1e-2]})
    plan = SearchPlan(Assignment("sasrec", "A0", None), markov.folder, tmp_path)
    found = search(plan, config)
    (told,) = tmp_path.rglob(TRIAL)
    for stale in ("", "0" * 64):
        lie = found.trials[0].model_copy(update={"weights_sha256": stale, "validation": 0.99})
        told.write_text(lie.model_dump_json(), "utf-8")
        assert search(plan, config) == found


def test_the_luck_of_one_seed_wins_nothing() -> None:
    def trial(weight: int, seed: int, validation: float) -> Trial:
        return Trial(point={"weight": weight, "fit.seed": seed}, validation=validation, best_epoch=1, seconds=1)

    lucky = [trial(1, 0, 0.9), trial(1, 1, 0.1), trial(2, 0, 0.6), trial(2, 1, 0.6)]
    assert best_point(lucky) == {"weight": 2}
    assert best_point(lucky[:1]) == {"weight": 1}
