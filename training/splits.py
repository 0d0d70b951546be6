"""Which interactions a model learns from, and which it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from training.arrays import fingerprint, read_only
from training.errors import SplitImpossible
from training.interactions import Interactions

SplitName = Literal["leave-one-out", "time"]


@dataclass(frozen=True, eq=False)
class EvaluationRows:
    """The targets of one part: at most one per user; the history of each is all that its user did before it."""

    row: NDArray[np.int64]
    """[E] flat rows of the targets, ascending"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", read_only(self.row, np.int64))
        if self.row.ndim != 1 or bool(np.any(np.diff(self.row) <= 0)):
            raise ValueError("evaluation rows are one ascending list without repeats")

    def __len__(self) -> int:
        return self.row.size


@dataclass(frozen=True, eq=False)
class Split:
    """The leading interactions of every user are the train part; evaluation rows come after it."""

    name: SplitName
    train_end: NDArray[np.int64]
    """[U] how many leading interactions of each user are the train part"""
    validation: EvaluationRows
    test: EvaluationRows

    def __post_init__(self) -> None:
        object.__setattr__(self, "train_end", read_only(self.train_end, np.int64))

    @classmethod
    def read(cls, path: Path) -> Split:
        """Read `split.npz`.

        Raises:
            ValueError, KeyError, OSError: the file is no split.
        """
        with np.load(path, allow_pickle=False) as arrays:
            name = cast(SplitName, str(arrays["name"]))
            return cls(name, arrays["train_end"], EvaluationRows(arrays["validation"]), EvaluationRows(arrays["test"]))

    def write(self, path: Path) -> None:
        """Write `split.npz`."""
        name, validation, test = np.array(self.name), self.validation.row, self.test.row
        np.savez(path, name=name, train_end=self.train_end, validation=validation, test=test)

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over the name and all rows."""
        rows = {"validation": self.validation.row, "test": self.test.row}
        return fingerprint({"name": self.name, "train_end": self.train_end, **rows})

    @property
    def held_out_rows(self) -> NDArray[np.int64]:
        """Every validation and test row, ascending: int64[H]."""
        return np.union1d(self.validation.row, self.test.row)  # [H]

    def check(self, interactions: Interactions) -> None:
        """Prove that this split belongs to the interactions and lets nothing leak.

        Raises:
            ValueError: a row of the wrong user, size or side; the message names it.
        """
        counts = np.diff(interactions.offsets)  # [U]
        if self.train_end.shape != counts.shape or bool(np.any((self.train_end < 0) | (self.train_end > counts))):
            raise ValueError("train_end does not count interactions of these users")
        for name, rows in {"validation": self.validation.row, "test": self.test.row}.items():
            _check_rows(name, rows, self.train_end, interactions)

    def train_rows(self, interactions: Interactions) -> NDArray[np.int64]:
        """Flat rows [R] of every train interaction but each user's first: what can be learnt to be next."""
        position = np.arange(len(interactions)) - interactions.offsets[interactions.user]  # [M]
        rows: NDArray[np.int64] = np.flatnonzero((position > 0) & (position < self.train_end[interactions.user]))
        return rows


def leave_one_out(interactions: Interactions) -> Split:
    """Each user's last interaction is the test, the one before it the validation, the rest are for training.

    The protocol of UniSRec and most sequential recommenders. It leaks the future: others' later behaviour is in the
    train part. Users with fewer than 3 interactions are trained on and never evaluated.

    Raises:
        SplitImpossible: no user has 3 interactions.
    """
    counts, ends = np.diff(interactions.offsets), interactions.offsets[1:]  # [U] each
    evaluated = counts >= 3  # [U]
    if not bool(evaluated.any()):
        raise SplitImpossible("leave-one-out: no user has 3 interactions, so none can be evaluated")
    test = EvaluationRows(ends[evaluated] - 1)
    return Split("leave-one-out", np.where(evaluated, counts - 2, counts), EvaluationRows(ends[evaluated] - 2), test)


def by_time(interactions: Interactions, train: float = 0.8, validation: float = 0.1) -> Split:
    """Cut all users at the same two moments: nothing that is learnt from lies after anything that is asked for.

    Args:
        interactions: with real times; positions in place of times would cut each user somewhere else.
        train: share of all interactions before the first cut t1.
        validation: share of all interactions between t1 and the second cut t2.

    Returns:
        Train: before t1. Validation: a user's first interaction in [t1, t2). Test: a user's first one at or after t2.
        Either only where the user has an earlier interaction, for there is no history to ask with otherwise.

    Raises:
        ValueError: the shares leave no part for the test.
        SplitImpossible: so many equal times that a part is empty.
    """
    if not (train > 0 and validation > 0 and train + validation < 1):
        raise ValueError(f"train {train} and validation {validation} must be positive and add up to less than 1")
    first, second = _moments(interactions, train, validation)
    before_first, before_second = _count_before(interactions, first), _count_before(interactions, second)  # [U] each
    starts, counts = interactions.offsets[:-1], np.diff(interactions.offsets)  # [U] each
    asked = (before_first > 0) & (before_first < before_second)  # [U]
    tested = (before_second > 0) & (before_second < counts)  # [U]
    return Split(
        "time",
        before_first,
        EvaluationRows((starts + before_first)[asked]),
        EvaluationRows((starts + before_second)[tested]),
    )


def _moments(interactions: Interactions, train: float, validation: float) -> tuple[int, int]:
    if not len(interactions):
        raise SplitImpossible("time: there is no interaction")
    times = np.sort(interactions.time)  # [M]
    first, second = (int(times[int(share * times.size)]) for share in (train, train + validation))
    if not times[0] < first < second:
        raise SplitImpossible(f"time: the cuts {first} and {second} leave a part empty: too many equal times")
    return first, second


def _count_before(interactions: Interactions, moment: int) -> NDArray[np.int64]:
    """[U] how many of each user's interactions lie before a moment: they are the leading ones."""
    return np.bincount(interactions.user[interactions.time < moment], minlength=len(interactions.user_ids))


def _check_rows(name: str, rows: NDArray[np.int64], train_end: NDArray[np.int64], interactions: Interactions) -> None:
    if rows.size and not (rows[0] >= 0 and rows[-1] < len(interactions)):
        raise ValueError(f"{name}: rows {rows[0]}..{rows[-1]} are not all in 0..{len(interactions) - 1}")
    users = interactions.user[rows]  # [E]
    position = rows - interactions.offsets[users]  # [E]
    wrong = (position < train_end[users]) | (position == 0)  # [E]
    wrong[1:] |= users[1:] == users[:-1]
    if bool(wrong.any()):
        at = int(rows[np.argmax(wrong)])
        raise ValueError(f"{name}: row {at} is a train row, has no history, or is its user's second target")
