"""Asking a teacher: every row once, the same bytes whether it was interrupted or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.asking import PROGRESS, USERS, Asked, forget_progress, rows_to_ask, write_users
from training.dataset import Dataset
from training.knowledge import TeacherKnowledge, gather
from training.sequences import sequences_at
from training.teachers.base import CausalTeacher, Teacher
from training.teachers.steps import load_teacher

HALF = 2e-3
"""Unit vectors in float16: each number is off by 2^-11 at most, a cosine by little more."""


class Killed(Exception):
    """Stands for the power going off."""


class Answering(Teacher):
    """A teacher that needs a pass for each history; it counts its passes, and may die in one of them."""

    def __init__(self, inner: CausalTeacher, dies_in: int = 0) -> None:
        super().__init__()
        self.inner, self.dies_in, self.passes = inner, dies_in, 0
        self.name, self.max_history, self.temperature = "answering", inner.max_history, inner.temperature

    def encode(self, history: Tensor) -> Tensor:
        self.passes += 1
        if self.passes == self.dies_in:
            raise Killed
        return self.inner.encode(history)

    def item_matrix(self) -> Tensor:
        return self.inner.item_matrix()


class Causal(CausalTeacher):
    """The same for a teacher whose one pass answers many rows."""

    def __init__(self, inner: CausalTeacher, dies_in: int = 0) -> None:
        super().__init__()
        self.inner, self.dies_in, self.passes = inner, dies_in, 0
        self.name, self.max_history, self.temperature = "causal", inner.max_history, inner.temperature

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        self.passes += 1
        if self.passes == self.dies_in:
            raise Killed
        return self.inner.raw_hidden(history, items)

    def raw_item_matrix(self) -> Tensor:
        return self.inner.raw_item_matrix()


@pytest.fixture
def inner(markov: Dataset, text_teacher: Path) -> CausalTeacher:
    teacher, _ = load_teacher(text_teacher, markov)
    assert isinstance(teacher, CausalTeacher)
    return teacher


def asked(dataset: Dataset, teacher: Teacher, folder: Path, row: NDArray[np.int64] | None = None) -> Asked:
    """All train rows unless others are given; progress is saved after every step."""
    folder.mkdir(exist_ok=True)
    rows = rows_to_ask(dataset, teacher, 0) if row is None else row
    return Asked(dataset, teacher, "f" * 64, rows, folder, save_seconds=0)


def write(one: Asked) -> None:
    with torch.no_grad():
        write_users(one, one.teacher.item_matrix())


def bytes_of(folder: Path) -> bytes:
    return (folder / USERS).read_bytes()


@pytest.mark.parametrize("kind", [Answering, Causal])
def test_an_asking_goes_on_where_it_was_killed_and_writes_the_same_bytes(
    markov: Dataset, inner: CausalTeacher, tmp_path: Path, kind: type[Answering] | type[Causal]
) -> None:
    whole = kind(inner)
    write(asked(markov, whole, tmp_path / "whole"))
    assert whole.passes > 1
    with pytest.raises(Killed):
        write(asked(markov, kind(inner, dies_in=whole.passes), tmp_path / "killed"))
    assert bytes_of(tmp_path / "killed") != bytes_of(tmp_path / "whole")
    resumed = kind(inner)
    write(asked(markov, resumed, tmp_path / "killed"))
    assert resumed.passes == 1  # the one that it died in
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


def test_answers_that_are_all_there_are_not_asked_for_again(
    markov: Dataset, inner: CausalTeacher, tmp_path: Path
) -> None:
    """A kill after the last answer, while the temperature was fitted: the hours of asking are not lost."""
    write(asked(markov, Answering(inner), tmp_path))
    again = Answering(inner)
    write(asked(markov, again, tmp_path))
    assert again.passes == 0
    forget_progress(tmp_path)
    write(asked(markov, again, tmp_path))
    assert again.passes > 0


def test_other_rows_or_another_teacher_begin_anew(markov: Dataset, inner: CausalTeacher, tmp_path: Path) -> None:
    rows = rows_to_ask(markov, Answering(inner), 0)
    write(asked(markov, Answering(inner), tmp_path, rows))
    first = Answering(inner)
    write(asked(markov, first, tmp_path, rows[1:]))
    assert first.passes > 0
    other = asked(markov, Answering(inner), tmp_path, rows[1:])
    other = Asked(markov, other.teacher, "e" * 64, other.row, tmp_path)
    write(other)
    assert isinstance(other.teacher, Answering)
    assert other.teacher.passes > 0


def test_what_one_asking_noted_does_not_vouch_for_what_another_overwrote(
    markov: Dataset, inner: CausalTeacher, tmp_path: Path
) -> None:
    """A is done; B begins over it and dies before it has noted anything; A must not take B's vectors for its own."""
    rows = rows_to_ask(markov, Answering(inner), 0)
    write(asked(markov, Answering(inner), tmp_path, rows))
    wanted = bytes_of(tmp_path)
    with pytest.raises(Killed):
        write(Asked(markov, Answering(inner, dies_in=1), "e" * 64, rows, tmp_path, save_seconds=0))
    write(asked(markov, Answering(inner), tmp_path, rows))
    assert bytes_of(tmp_path) == wanted


@pytest.mark.parametrize("damage", ["no file", "cut", "no progress", "another shape"])
def test_damaged_leavings_are_not_gone_on_with(
    markov: Dataset, inner: CausalTeacher, tmp_path: Path, damage: str
) -> None:
    one = asked(markov, Answering(inner), tmp_path)
    write(one)
    wanted = bytes_of(tmp_path)
    if damage == "no file":
        (tmp_path / USERS).unlink()
    elif damage == "cut":
        (tmp_path / USERS).write_bytes(wanted[:-9])
    elif damage == "no progress":
        (tmp_path / PROGRESS).write_text("{")
    else:
        np.save(tmp_path / USERS, np.zeros((3, 2), np.float16))
    write(one)
    assert bytes_of(tmp_path) == wanted


def test_a_pass_for_each_row_says_what_a_pass_for_all_says(
    markov: Dataset, inner: CausalTeacher, tmp_path: Path
) -> None:
    for name, kind in (("one by one", Answering), ("at once", Causal)):
        write(asked(markov, kind(inner), tmp_path / name))
    rows = rows_to_ask(markov, inner, 0)
    position = rows - markov.interactions.offsets[markov.interactions.user[rows]]
    short = position <= inner.max_history  # later ones are read from the middle of a window
    found, wanted = (np.load(tmp_path / name / USERS)[short] for name in ("one by one", "at once"))
    assert np.allclose(found, wanted, atol=HALF)


def test_a_teacher_that_needs_a_pass_for_each_row_may_score_a_sample(markov: Dataset, inner: CausalTeacher) -> None:
    every = markov.split.train_rows(markov.interactions)
    some = rows_to_ask(markov, Answering(inner), 100)
    assert some.size == 100
    assert np.isin(some, every).all()
    assert (np.diff(some) > 0).all()  # ascending, none twice
    assert np.array_equal(some, rows_to_ask(markov, Answering(inner), 100))
    assert np.ptp(some) > 0.8 * np.ptp(every)  # from all over, not the first hundred
    for whole in (0, every.size, every.size + 1):
        assert np.array_equal(rows_to_ask(markov, Answering(inner), whole), every)
    assert np.array_equal(rows_to_ask(markov, Causal(inner), 100), every)


def test_rows_that_were_not_sampled_are_said_to_be_absent(
    markov: Dataset, inner: CausalTeacher, text_teacher: Path, tmp_path: Path
) -> None:
    _, record = load_teacher(text_teacher, markov)
    gather(markov, [(Answering(inner), record)], tmp_path, rows=100)
    (memory,) = TeacherKnowledge.read(tmp_path, markov).with_vectors
    every = markov.split.train_rows(markov.interactions)
    users, present = memory.users_at(every)
    assert memory.entry.rows == 100
    assert np.array_equal(present.numpy(), np.isin(every, rows_to_ask(markov, Answering(inner), 100)))
    scored = every[present.numpy()]
    history = torch.tensor(sequences_at(markov.interactions, scored, inner.max_history).history)
    with torch.no_grad():
        assert torch.allclose(users[present], inner.encode(history), atol=HALF)


def test_another_sample_is_asked_for_anew(
    markov: Dataset, inner: CausalTeacher, text_teacher: Path, tmp_path: Path
) -> None:
    _, record = load_teacher(text_teacher, markov)
    teacher = Answering(inner)
    gather(markov, [(teacher, record)], tmp_path, rows=100)
    once = teacher.passes
    gather(markov, [(teacher, record)], tmp_path, rows=100)
    assert teacher.passes == once
    gather(markov, [(teacher, record)], tmp_path, rows=101)
    assert teacher.passes > once


def test_a_gathering_that_was_killed_gives_the_same_knowledge(
    markov: Dataset, inner: CausalTeacher, text_teacher: Path, tmp_path: Path
) -> None:
    _, record = load_teacher(text_teacher, markov)
    wanted = gather(markov, [(Causal(inner), record)], tmp_path / "whole").teachers[0]
    with pytest.raises(Killed):
        gather(markov, [(Causal(inner, dies_in=2), record)], tmp_path / "killed", save_seconds=0)
    found = gather(markov, [(Causal(inner), record)], tmp_path / "killed").teachers[0]
    assert found.sha256 == wanted.sha256
    assert found.calibration == wanted.calibration
    assert not list((tmp_path / "killed").rglob(PROGRESS))
