"""The proof lets the right graphs through and no wrong one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from export.errors import ParityBroken
from export.histories import proof_histories
from export.parity import BATCHES, TOLERANCE, OnnxStudent, prove_parity
from service.bundle.files import ENCODER, ITEM_VECTORS
from training.dataset import Dataset
from training.two_tower import TwoTower

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
HISTORIES = 40


@pytest.fixture(scope="module")
def histories(dataset: Dataset) -> Ints:
    return proof_histories(dataset, 12)


@dataclass(frozen=True, eq=False)
class Answers(OnnxStudent):
    """The real graphs, their answers changed on the way out."""

    seen: list[int]
    """Batch sizes asked for."""
    change_user: Callable[[Floats], Floats] = lambda user: user
    change_items: Callable[[Ints], Ints] = lambda items: items

    @classmethod
    def of(cls, graphs: OnnxStudent) -> Answers:
        return cls(graphs.encoder, graphs.retrieval, [])

    def encode(self, history: Ints) -> Floats:
        self.seen.append(len(history))
        return self.change_user(super().encode(history))

    def top(self, user: Floats, n: int) -> tuple[Floats, Ints]:
        scores, items = super().top(user, n)
        return scores, self.change_items(items) if n < 60 else items


def change_table(folder: Path, change: Callable[[Floats], None]) -> OnnxStudent:
    table = np.fromfile(folder / ITEM_VECTORS, np.float32).reshape(60, 16)  # [N, D]
    change(table)
    table.tofile(folder / ITEM_VECTORS)
    return OnnxStudent.load(folder)


def change_weight(folder: Path, name: str, change: Callable[[Floats], Floats]) -> OnnxStudent:
    model = onnx.load(folder / ENCODER)
    (weight,) = [one for one in model.graph.initializer if one.name == name]
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight)), name))
    (folder / ENCODER).write_bytes(model.SerializeToString())
    return OnnxStudent.load(folder)


def test_the_right_graphs_are_within_the_tolerance(student: TwoTower, graphs: OnnxStudent, histories: Ints) -> None:
    found = prove_parity(student, graphs, histories)
    assert found.histories == 1000
    assert 0 < found.max_abs_diff <= TOLERANCE
    assert found.top_overlap == 1


def test_every_batch_size_is_tried(student: TwoTower, graphs: OnnxStudent, histories: Ints) -> None:
    answers = Answers.of(graphs)
    prove_parity(student, answers, histories[:64])
    assert set(BATCHES) <= set(answers.seen)
    assert sum(answers.seen) == len(BATCHES) * 64


@pytest.mark.parametrize("item", [1, 37, 60])
@pytest.mark.parametrize("by", [1e-3, 1e-6, np.nan])
def test_one_wrong_number_of_one_item_is_found(
    student: TwoTower, bundle_copy: Path, histories: Ints, item: int, by: float
) -> None:
    def change(table: Floats) -> None:
        table[item - 1, 5] += by

    graphs = change_table(bundle_copy, change)
    with pytest.raises(ParityBroken, match=f"of the vector of item {item} is not the student's"):
        prove_parity(student, graphs, histories[:HISTORIES])


def test_two_items_that_changed_places_are_found(student: TwoTower, bundle_copy: Path, histories: Ints) -> None:
    def change(table: Floats) -> None:
        table[[3, 4]] = table[[4, 3]]

    with pytest.raises(ParityBroken, match="item 4 is not the student's"):
        prove_parity(student, change_table(bundle_copy, change), histories[:HISTORIES])


@pytest.mark.parametrize(
    "change",
    [lambda weight: weight + np.linspace(0, 0.01, 16, dtype=np.float32), lambda weight: weight * np.float32(np.nan)],
)
def test_another_encoder_is_found(
    student: TwoTower, bundle_copy: Path, histories: Ints, change: Callable[[Floats], Floats]
) -> None:
    graphs = change_weight(bundle_copy, "student.encoder.norm.bias", change)
    with pytest.raises(ParityBroken, match="over 40 histories the graphs differ"):
        prove_parity(student, graphs, histories[:HISTORIES])


def test_an_encoder_that_fails_on_whole_batches_alone_is_found(
    student: TwoTower, graphs: OnnxStudent, histories: Ints
) -> None:
    answers = replace(Answers.of(graphs), change_user=lambda user: user + np.float32(0.01 * (len(user) == 32)))
    with pytest.raises(ParityBroken, match="differ from the student by up to"):
        prove_parity(student, answers, histories[:HISTORIES])


def test_an_item_that_stands_twice_is_no_overlap(student: TwoTower, graphs: OnnxStudent, histories: Ints) -> None:
    answers = replace(Answers.of(graphs), change_items=lambda items: np.repeat(items[:, :1], items.shape[1], axis=1))
    with pytest.raises(ParityBroken, match=r"overlap 0\.05"):
        prove_parity(student, answers, histories[:HISTORIES])


def test_a_student_of_no_numbers_is_refused(graphs: OnnxStudent, histories: Ints, student: TwoTower) -> None:
    broken = deepcopy(student)
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    with pytest.raises(ParityBroken):
        prove_parity(broken, graphs, histories[:HISTORIES])
