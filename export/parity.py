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


@dataclass(frozen=True, eq=False)
class OnnxStudent:
    """The two graphs, run as the service runs them."""

    encoder: onnxruntime.InferenceSession
    retrieval: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path) -> OnnxStudent:
        """Open the graphs of a bundle's folder on the CPU."""
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
    """Share of the student's own top items that retrieval returns, ties counted as equal."""


def prove_parity(student: TwoTower, onnx_student: OnnxStudent, histories: NDArray[np.int64]) -> Parity:
    """Compare on all histories int64[H, L], in batches of 1, 2, 7 and 32.

    Raises:
        ParityBroken: a difference beyond the tolerance, a NaN, or a top item missed that is no tie.
    """
    with torch.no_grad():
        users = student.encode(torch.from_numpy(histories))  # [H, D]
        items = student.item_matrix()  # [N+1, D]
        scores = (users @ items.T).numpy()  # [H, N+1]
    scores[:, PAD] = -np.inf
    worst, overlaps = 0.0, []
    for size in BATCHES:
        for start in range(0, len(histories), size):
            part = slice(start, start + size)
            found = onnx_student.encode(histories[part])  # [B, D]
            top, chosen = onnx_student.top(found, min(TOP, scores.shape[1] - 1))  # [B, K] each
            worst = max(worst, _apart(found, users[part].numpy()), _apart(top, _at(scores[part], chosen)))
            overlaps.append(_overlap(scores[part], chosen))
    parity = Parity(len(histories), worst, float(np.concatenate(overlaps).mean()))
    if not (parity.max_abs_diff <= TOLERANCE and parity.top_overlap == 1):
        raise ParityBroken(
            f"over {parity.histories} histories the graphs differ from the student by up to {parity.max_abs_diff:.2e} "
            f"(allowed: {TOLERANCE:.0e}), top {TOP} overlap {parity.top_overlap:.4f} (required: 1)"
        )
    return parity


def _apart(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Infinite where either is no number: NaN must never pass a comparison."""
    apart = np.abs(found - wanted)
    return float(apart.max()) if bool(np.isfinite(apart).all()) else np.inf


def _at(scores: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.take_along_axis(scores, chosen, axis=1)  # [B, K]


def _overlap(scores: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of chosen items that a full sort would choose too, or that tie with its last one within the tolerance: [B]."""
    kth = np.sort(scores, axis=1)[:, -chosen.shape[1]][:, None]  # [B, 1]
    return (_at(scores, chosen) >= kth - TOLERANCE).mean(axis=1)  # [B]
