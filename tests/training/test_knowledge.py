"""The cache says what the teachers said: exactly, for every train row, and never for another data set."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactError, ArtefactMismatch, ArtefactMissing, ModelRecord
from training.config import ConfigError
from training.dataset import Dataset
from training.knowledge import TeacherKnowledge, gather
from training.sequences import sequences_at
from training.teachers.base import CausalTeacher
from training.teachers.steps import load_teacher

HALF = 2e-3
"""Unit vectors in float16: each number is off by 2^-11 at most, a cosine by little more."""


class CountingTeacher(CausalTeacher):
    """Another teacher, that counts how many histories it is asked to read."""

    def __init__(self, inner: CausalTeacher) -> None:
        super().__init__()
        self.inner, self.asked = inner, 0
        self.name, self.max_history, self.temperature = inner.name, inner.max_history, inner.temperature

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        self.asked += len(history)
        return self.inner.raw_hidden(history, items)

    def raw_item_matrix(self) -> Tensor:
        return self.inner.raw_item_matrix()


@pytest.fixture
def counting(markov: Dataset, text_teacher: Path, id_teacher: Path) -> list[tuple[CountingTeacher, ModelRecord]]:
    counting = []
    for folder in (text_teacher, id_teacher):
        teacher, record = load_teacher(folder, markov)
        assert isinstance(teacher, CausalTeacher)
        counting.append((CountingTeacher(teacher), record))
    return counting


@pytest.fixture
def folder(both_known: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(both_known, tmp_path / "knowledge")


def test_every_train_row_is_kept_and_no_other(markov: Dataset, both_known: Path) -> None:
    for teacher in TeacherKnowledge.read(both_known, markov).with_vectors:
        assert np.array_equal(teacher.row, markov.split.train_rows(markov.interactions))
        assert not np.isin(markov.split.validation.row, teacher.row).any()
        assert not np.isin(markov.split.test.row, teacher.row).any()
        assert teacher.entry.rows == teacher.row.size


def test_the_logits_are_the_teachers_own(
    markov: Dataset, both_known: Path, text_teacher: Path, id_teacher: Path
) -> None:
    """For rows whose whole history fits one window; later ones are read from the middle of a window."""
    knowledge = TeacherKnowledge.read(both_known, markov)
    for memory, place in zip(knowledge.with_vectors, (text_teacher, id_teacher), strict=True):
        teacher, _ = load_teacher(place, markov)
        rows = memory.row
        position = rows - markov.interactions.offsets[markov.interactions.user[rows]]
        short = rows[position <= teacher.max_history]
        assert short.size > 1000
        with torch.no_grad():
            history = torch.tensor(sequences_at(markov.interactions, short, teacher.max_history).history)
            wanted = teacher.encode(history) @ teacher.item_matrix().T
        users, present = memory.users_at(short)
        assert bool(present.all())
        assert torch.allclose(users @ memory.items.T, wanted, atol=HALF)


def test_rows_may_be_asked_in_any_order_and_more_than_once(markov: Dataset, both_known: Path) -> None:
    memory = TeacherKnowledge.read(both_known, markov).with_vectors[0]
    order = np.array([7, 3, 7, 0, memory.row.size - 1])
    users, present = memory.users_at(memory.row[order])
    assert bool(present.all())
    assert np.array_equal(users.numpy(), memory.user[order].astype(np.float32))


def test_rows_that_a_teacher_did_not_score_are_said_to_be_absent(markov: Dataset, both_known: Path) -> None:
    memory = TeacherKnowledge.read(both_known, markov).with_vectors[0]
    asked = np.arange(len(markov.interactions) + 5)
    users, present = memory.users_at(asked)
    assert np.array_equal(present.numpy(), np.isin(asked, memory.row))
    assert bool(users.isfinite().all())


def test_what_is_in_the_cache_is_not_asked_again(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    gather(markov, counting[:1], tmp_path)  # an interrupted run got as far as this
    first = counting[0][0].asked
    found = gather(markov, counting, tmp_path)
    assert first > 0
    assert counting[0][0].asked == first
    assert counting[1][0].asked > 0
    assert [one.fingerprint for one in found.teachers] == [record.weights_sha256 for _, record in counting]
    assert gather(markov, counting, tmp_path) == found
    noted = [(teacher, record.model_copy(update={"cut_short": None})) for teacher, record in counting]
    assert [one.cut_short for one in found.teachers] == [True, True]
    assert [one.cut_short for one in gather(markov, noted, tmp_path).teachers] == [None, None]
    assert counting[0][0].asked == first, "what was noted of its training is no reason to ask it again"


def test_a_teacher_with_other_weights_is_asked_anew(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    gather(markov, counting[:1], tmp_path)
    gather(markov, counting[1:], tmp_path)  # now this one is number 0
    knowledge = TeacherKnowledge.read(tmp_path, markov)
    assert counting[1][0].asked > 0
    assert [one.entry.fingerprint for one in knowledge.teachers] == [counting[1][1].weights_sha256]
    with torch.no_grad():
        assert torch.allclose(knowledge.with_vectors[0].items, counting[1][0].item_matrix(), atol=HALF)


def test_a_run_that_died_within_a_teacher_asks_it_again(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    gather(markov, counting[:1], tmp_path)
    first = counting[0][0].asked
    (tmp_path / "0-unisrec/teacher.json").unlink()  # it is written last
    gather(markov, counting[:1], tmp_path)
    assert counting[0][0].asked == 2 * first


def test_one_teacher_cannot_be_named_twice(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="the same teacher is named twice"):
        gather(markov, [counting[0], counting[0]], tmp_path)


def test_knowledge_of_another_data_set_is_refused(noise: Dataset, both_known: Path) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from 'synthetic'"):
        TeacherKnowledge.read(both_known, noise)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def shorten(path: Path) -> None:
    np.save(path, np.load(path)[:-1])


DAMAGES: list[tuple[str, Callable[[Path], object], type[ArtefactError]]] = [
    ("knowledge.json", Path.unlink, ArtefactMissing),
    ("knowledge.json", cut, ArtefactCorrupt),
    ("0-unisrec/user.npy", Path.unlink, ArtefactMissing),
    ("0-unisrec/user.npy", cut, ArtefactCorrupt),
    ("1-unisrec/user.npy", shorten, ArtefactCorrupt),
    ("1-unisrec/item.npy", shorten, ArtefactCorrupt),
    ("0-unisrec/row.npy", lambda path: path.write_bytes(b""), ArtefactCorrupt),
    ("0-unisrec/row.npy", lambda path: path.write_bytes(b"no array at all"), ArtefactCorrupt),
    ("0-unisrec/item.npy", lambda path: np.save(path, np.load(path).astype(np.float64)), ArtefactCorrupt),
]


@pytest.mark.parametrize(("name", "damage", "error"), DAMAGES)
def test_damage_is_refused_and_the_file_is_named(
    markov: Dataset, folder: Path, name: str, damage: Callable[[Path], object], error: type[ArtefactError]
) -> None:
    damage(folder / name)
    with pytest.raises(error, match=name):
        TeacherKnowledge.read(folder, markov)


def test_a_damaged_note_of_one_teacher_has_it_asked_again(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    gather(markov, counting[:1], tmp_path)
    first = counting[0][0].asked
    cut(tmp_path / "0-unisrec/teacher.json")
    gather(markov, counting[:1], tmp_path)
    assert counting[0][0].asked == 2 * first


class DyingTeacher(CountingTeacher):
    """Dies before its first answer is kept."""

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        raise InterruptedError


def test_nothing_vouches_for_files_that_another_teacher_began_to_overwrite(
    markov: Dataset, counting: list[tuple[CountingTeacher, ModelRecord]], tmp_path: Path
) -> None:
    gather(markov, counting[:1], tmp_path)
    first = counting[0][0].asked
    with pytest.raises(InterruptedError):
        gather(markov, [(DyingTeacher(counting[1][0]), counting[1][1])], tmp_path)
    with pytest.raises(ArtefactMissing):
        TeacherKnowledge.read(tmp_path, markov)
    gather(markov, counting[:1], tmp_path)
    assert counting[0][0].asked == 2 * first
