"""Proof that the graphs give what the student gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from export.errors import ParityBroken
from service.bundle import PAD
from service.bundle.files import ENCODER, RETRIEVAL
from training.two_tower import TwoTower

TOLERANCE = 1e-4
"""Largest absolute difference allowed in a score or a user vector, fp32."""
TOP = 20
BATCHES = (1, 2, 7, 32)
BLOCK = max(BATCHES)


@dataclass(frozen=True, eq=False)
class OnnxStudent:
    """The two graphs, run as the service runs them."""

    encoder: onnxruntime.InferenceSession
    retrieval: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path) -> OnnxStudent:
        """Open the graphs of a bundle's folder on the CPU."""
        onnxruntime.disable_telemetry_events()  # some builds would else tell their makers which models are opened
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        sessions = (
            onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in (ENCODER, RETRIEVAL)
        )
        return cls(*sessions)

    def encode(self, history: NDArray[np.int64]) -> NDArray[np.float32]:
        """int64[B, L] -> float32[B, D]."""
        (user,) = self.encoder.run(["user"], {"history": history})
        return np.asarray(user)  # [B, D]

    def top(self, user: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """float32[B, D] -> scores float32[B, n] and catalogue indices int64[B, n]."""
        scores, items = self.retrieval.run(["scores", "items"], {"user": user, "n": np.array([n])})
        return np.asarray(scores), np.asarray(items)


@dataclass(frozen=True)
class Parity:
    """What was found."""

    histories: int
    max_abs_diff: float
    """Over user vectors and the scores of the top items, at every batch size."""
    top_overlap: float
    """Share of the student's own top items that retrieval returns; of equal scores any is right."""


def prove_parity(student: TwoTower, onnx_student: OnnxStudent, histories: NDArray[np.int64]) -> Parity:
    """Compare the item table number for number, and the answers to all histories int64[H, L], in all batch sizes.

    Raises:
        ParityBroken: another item table, a difference beyond the tolerance, a NaN, or a top item missed that is no tie.
    """
    with torch.no_grad():
        users = student.encode(torch.from_numpy(histories)).numpy()  # [H, D]
        items = student.item_matrix().detach().numpy()  # [N+1, D]
    _prove_table(onnx_student, items)
    found = [
        _compare(onnx_student, histories[rows], users[rows], items)
        for rows in (slice(start, start + BLOCK) for start in range(0, len(histories), BLOCK))
    ]
    worst = max(one for one, _ in found)
    parity = Parity(len(histories), worst, float(np.concatenate([overlaps for _, overlaps in found]).mean()))
    if not (parity.max_abs_diff <= TOLERANCE and parity.top_overlap == 1):
        raise ParityBroken(
            f"over {parity.histories} histories the graphs differ from the student by up to {parity.max_abs_diff:.2e} "
            f"(allowed: {TOLERANCE:.0e}), top {TOP} overlap {parity.top_overlap:.4f} (required: 1)"
        )
    return parity


def _prove_table(onnx_student: OnnxStudent, items: NDArray[np.float32]) -> None:
    """The scores of unit vector d over all items are column d of the table, exactly.

    Histories alone would prove no item that is in nobody's top list.
    """
    count, width = len(items) - 1, items.shape[1]
    for column in range(width):
        unit = np.zeros((1, width), dtype=np.float32)  # [1, D]
        unit[0, column] = 1
        scores, chosen = onnx_student.top(unit, count)  # [1, N] each
        order = np.argsort(chosen[0])  # [N]
        if not np.array_equal(chosen[0, order], np.arange(PAD + 1, count + 1)):
            raise ParityBroken(f"asked for all {count} items, retrieval does not give each of them once")
        wrong = np.flatnonzero(scores[0, order] != items[PAD + 1 :, column])  # NaN differs from all, itself too
        if wrong.size:
            raise ParityBroken(f"number {column} of the vector of item {wrong[0] + 1} is not the student's")


def _compare(
    onnx_student: OnnxStudent,
    histories: NDArray[np.int64],
    users: NDArray[np.float32],
    items: NDArray[np.float32],
) -> tuple[float, NDArray[np.float64]]:
    """One block in batches of every size: the largest difference, and the overlaps [4 B].

    By blocks, as the scores of all histories over a big catalogue would not fit the memory.
    """
    scores = users @ items.T  # [B, N+1]
    scores[:, PAD] = -np.inf
    worst, overlaps = 0.0, []
    for size in BATCHES:
        for part in (slice(start, start + size) for start in range(0, len(histories), size)):
            found = onnx_student.encode(histories[part])  # [B, D]
            top, chosen = onnx_student.top(found, min(TOP, len(items) - 1))  # [B, K] each
            worst = max(worst, apart(found, users[part]), apart(top, _at(scores[part], chosen)))
            overlaps.append(_overlap(scores[part], chosen))
    return worst, np.concatenate(overlaps)


def apart(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """The largest difference; infinite where either is no number: NaN must never pass a comparison."""
    difference = np.abs(found - wanted)
    return float(difference.max()) if bool(np.isfinite(difference).all()) else np.inf


def _at(scores: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.take_along_axis(scores, chosen, axis=1)  # [B, K]


def _overlap(scores: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share [B] of the chosen that a full sort would choose too, or that tie with its last within the tolerance."""
    kept = chosen.shape[1]
    kth = np.partition(scores, -kept, axis=1)[:, [-kept]]  # [B, 1]
    good = (_at(scores, chosen) >= kth - TOLERANCE).sum(axis=1)  # [B]
    repeated = (np.diff(np.sort(chosen, axis=1), axis=1) == 0).sum(axis=1)  # [B] an item counts once
    return np.asarray((good - repeated) / kept)  # [B]
