from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import nn

from training.artefacts import (
    RECORD,
    WEIGHTS,
    ArtefactCorrupt,
    ArtefactError,
    ArtefactMismatch,
    ArtefactMissing,
    CurvePoint,
    Lineage,
    ModelRecord,
    TeacherSource,
    load_weights,
    read_record,
    require_same_data,
    save_model,
)

DATA = Lineage(name="shop", fingerprint="a", split="time", split_fingerprint="b", catalog_fingerprint="c")


def record() -> ModelRecord:
    return ModelRecord(
        kind="student",
        stage="distilled",
        name="sasrec",
        row="A7",
        config={"width": 3, "depth": 1},
        recipe={},
        data=DATA,
        seed=4,
        parameters=8,
        curve=(CurvePoint(epoch=1, loss=0.5, validation=0.25, seconds=1),),
        best_epoch=1,
        seconds=1,
    )


def model(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "deep/student", model(1), record())
    return tmp_path / "deep/student"


def load(folder: Path, into: nn.Module) -> None:
    load_weights(folder, read_record(folder), into)


def test_a_model_comes_back_bit_for_bit(folder: Path) -> None:
    other = model(2)
    load(folder, other)
    assert all(torch.equal(one, two) for one, two in zip(other.parameters(), model(1).parameters(), strict=True))


def test_a_record_comes_back_with_the_hash_of_its_weights(folder: Path) -> None:
    found = read_record(folder)
    assert found == record().model_copy(update={"weights_sha256": found.weights_sha256})
    assert len(found.weights_sha256) == 64
    assert sorted(path.name for path in folder.iterdir()) == [RECORD, WEIGHTS]


def test_a_model_can_be_saved_over_another(folder: Path) -> None:
    save_model(folder, model(2), record())
    other = model(3)
    load(folder, other)
    assert torch.equal(other.weight, model(2).weight)


def test_views_and_transposed_weights_are_saved_as_they_are(tmp_path: Path) -> None:
    odd = model(1)
    odd.weight = nn.Parameter(torch.arange(6.0).view(3, 2).T)
    save_model(tmp_path, odd, record())
    other = model(2)
    load(tmp_path, other)
    assert torch.equal(other.weight, odd.weight)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: list[tuple[str, Callable[[Path], object], type[ArtefactError]]] = [
    (WEIGHTS, flip_a_byte, ArtefactCorrupt),
    (WEIGHTS, lambda path: path.write_bytes(path.read_bytes()[:-7]), ArtefactCorrupt),
    (WEIGHTS, lambda path: path.write_bytes(b""), ArtefactCorrupt),
    (WEIGHTS, Path.unlink, ArtefactMissing),
    (RECORD, lambda path: path.write_bytes(path.read_bytes()[:-7]), ArtefactCorrupt),
    (RECORD, lambda path: path.write_text("{}"), ArtefactCorrupt),
    (RECORD, lambda path: path.write_bytes(b"\xff\xfe"), ArtefactCorrupt),
    (RECORD, lambda path: path.write_text(path.read_text().replace('"seed"', '"sede"')), ArtefactCorrupt),
    (RECORD, Path.unlink, ArtefactMissing),
]


@pytest.mark.parametrize(("name", "damage", "error"), DAMAGES)
def test_damage_is_refused_and_the_file_is_named(
    folder: Path, name: str, damage: Callable[[Path], object], error: type[ArtefactError]
) -> None:
    damage(folder / name)
    with pytest.raises(error, match=name):
        load(folder, model(1))


def test_weights_that_pass_the_hash_and_are_no_weights_are_refused(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"not safetensors")
    lying = read_record(folder).model_copy(update={"weights_sha256": sha256(b"not safetensors").hexdigest()})
    with pytest.raises(ArtefactCorrupt, match=WEIGHTS):
        load_weights(folder, lying, model(1))


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    with pytest.raises(ArtefactCorrupt, match="size mismatch"):
        load(folder, nn.Linear(4, 2))


@pytest.mark.parametrize("field", ["fingerprint", "split_fingerprint", "catalog_fingerprint"])
def test_another_data_set_is_refused_and_what_differs_is_said(tmp_path: Path, field: str) -> None:
    require_same_data(tmp_path, DATA, DATA.model_copy(update={"name": "renamed"}))
    with pytest.raises(ArtefactMismatch, match=f"their {field} differ"):
        require_same_data(tmp_path, DATA, DATA.model_copy(update={field: "other"}))


def test_the_hash_of_a_configuration_does_not_depend_on_the_order_of_keys() -> None:
    turned = record().model_copy(update={"config": {"depth": 1, "width": 3}})
    assert turned.config_hash == record().config_hash
    assert record().model_copy(update={"config": {"depth": 2, "width": 3}}).config_hash != record().config_hash


def test_tables_name_a_student_with_its_row_and_a_teacher_without() -> None:
    assert record().label == "sasrec A7"
    assert record().model_copy(update={"row": ""}).label == "sasrec"


@pytest.mark.parametrize(
    ("changed", "like"),
    [
        ({}, True),
        ({"rows": 8}, False),
        ({"rows": None, "repeat_offset": None}, True),  # as older versions noted it
        ({"repeat_offset": -2.449}, True),
        ({"repeat_offset": -2.6}, False),
        ({"fingerprint": "other"}, False),
    ],
)
def test_a_teacher_that_was_asked_or_calibrated_otherwise_is_another(changed: dict[str, object], like: bool) -> None:  # noqa: FBT001
    one = TeacherSource(name="unisrec", fingerprint="a", rows=9, repeat_offset=-2.45)
    other = one.model_copy(update=changed)
    assert one.is_like(other) is like
    assert other.is_like(one) is like
