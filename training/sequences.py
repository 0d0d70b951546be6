"""Interactions in the shape that models read: windows of item indices, newest right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD
from training.arrays import read_only
from training.interactions import Interactions
from training.splits import EvaluationRows, Split

NO_ROW = -1
"""Stands in `Windows.row` where there is no target."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """S histories, each with the item that came next. Histories are what `service.bundle.history_window` makes."""

    history: NDArray[np.int64]
    """[S, L] left-padded with PAD"""
    target: NDArray[np.int64]
    """[S] the item that came next"""
    row: NDArray[np.int64]
    """[S] flat row of the target"""

    def __post_init__(self) -> None:
        for name in ("history", "target", "row"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))
        if self.history.ndim != 2 or not self.target.shape == self.row.shape == self.history.shape[:1]:
            raise ValueError(f"history {self.history.shape}, target {self.target.shape}, row {self.row.shape}")

    def __len__(self) -> int:
        return self.target.size


@dataclass(frozen=True, eq=False)
class Windows:
    """Train parts cut so that one causal pass over all windows meets every train row as a target exactly once."""

    history: NDArray[np.int64]
    """[W, L] left-padded with PAD"""
    target: NDArray[np.int64]
    """[W, L] `target[w, t]` follows `history[w, t]`; PAD where nothing is asked"""
    row: NDArray[np.int64]
    """[W, L] flat row of the target; NO_ROW where nothing is asked"""

    def __post_init__(self) -> None:
        for name in ("history", "target", "row"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))
        if self.history.ndim != 2 or not self.target.shape == self.row.shape == self.history.shape:
            raise ValueError(f"history {self.history.shape}, target {self.target.shape}, row {self.row.shape}")

    def __len__(self) -> int:
        return len(self.history)


def sequences_at(interactions: Interactions, row: NDArray[np.int64], length: int) -> Sequences:
    """The history before each flat row, and its item as the target.

    Args:
        interactions: all of them.
        row: flat rows [S], in any order.
        length: L, the newest items kept of each history.
    """
    _check_length(length)
    first = interactions.offsets[interactions.user[row]]  # [S]
    source = row[:, None] + np.arange(-length, 0)  # [S, L]
    known = source >= first[:, None]  # [S, L]
    history = np.where(known, interactions.item[np.where(known, source, 0)], PAD)  # [S, L]
    return Sequences(history, interactions.item[row].astype(np.int64), row)


def evaluation_sequences(interactions: Interactions, rows: EvaluationRows, length: int) -> Sequences:
    """What a model is asked in one part of a split: all that the user did before the target, cut to L."""
    return sequences_at(interactions, rows.row, length)


def train_windows(interactions: Interactions, split: Split, length: int) -> Windows:
    """Cut the train part of every user into windows of L inputs.

    Up to L + 1 train interactions fit one window. Longer ones get further windows, each moved on by L // 2 (the last
    by what is left), in which only the targets that no earlier window had are asked: so every target sees at least
    min(available, L // 2) items, and each is learnt once per pass.

    Args:
        interactions: all of them.
        split: says how many of each user's are for training.
        length: L.
    """
    _check_length(length)
    user, end, asked_from = _cut(split.train_end - 1, length)  # [W] each
    local = end[:, None] + np.arange(-length, 0)  # [W, L] the position of each input in its user's interactions
    known = local >= 0  # [W, L]
    source = np.where(known, interactions.offsets[user][:, None] + local, 0)  # [W, L]
    history = np.where(known, interactions.item[source], PAD)  # [W, L]
    asked = known & (local >= asked_from[:, None])  # [W, L]
    row = np.where(asked, source + 1, NO_ROW)  # [W, L]
    return Windows(history, np.where(asked, interactions.item[row], PAD), row)


def _cut(inputs: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Lay windows over each user's inputs [U]: (user, end of the window, first position asked), [W] each."""
    stride = max(1, length // 2)
    inputs = np.maximum(inputs, 0)  # [U]: a user with one train interaction has no input
    further = -(-np.maximum(inputs - length, 0) // stride)  # [U] windows after the first, rounded up
    count = np.where(inputs > 0, 1 + further, 0)  # [U]
    user = np.repeat(np.arange(inputs.size), count)  # [W]
    turn = np.arange(user.size) - np.repeat(np.cumsum(count) - count, count)  # [W] 0, 1, .. in each user
    end = np.minimum(length + turn * stride, inputs[user])  # [W]
    asked_from = np.where(turn == 0, 0, length + (turn - 1) * stride)  # [W] where the window before ended
    return user, end, asked_from


def _check_length(length: int) -> None:
    if length < 1:
        raise ValueError(f"length {length}: a window has at least one place")
