"""A student that scores pairs as a third ONNX graph, `rerank.onnx`, and the proof that it is the student."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.errors import ExportError, ParityBroken
from export.graphs import Signature, write_traced
from export.parity import BATCHES, BLOCK, TOLERANCE, TOP, OnnxStudent, apart
from service.bundle import PAD
from service.bundle.files import RERANK
from service.bundle.manifest import RerankerInfo
from training.reranker import CANDIDATES, Reranker

OFFERED = (1, 2, 7, CANDIDATES)
"""How many candidates the histories of the proof have: one number for each size of batch."""
WHOLE = 4
"""Histories that are proven over every item, so that no item's fields go unread."""
RECALLED = 100
"""Histories whose own top is looked for among the candidates: every item must be scored for each."""


class _Rerank(nn.Module):
    """`rerank` as `forward`, which is what the exporter follows."""

    def __init__(self, student: Reranker) -> None:
        super().__init__()
        self.student = student

    def forward(self, history: Tensor, candidates: Tensor) -> Tensor:
        """int64[B, L], int64[B, C] -> float[B, C]."""
        return self.student.rerank(history, candidates)  # [B, C]


def write_reranker(student: Reranker, path: Path) -> None:
    """Write history int64[B, L], candidates int64[B, C] -> scores float32[B, C], B and C free.

    Raises:
        ExportError: batch or number of candidates is fixed, or the model is beyond the 2 GB that one ONNX file holds.
    """
    examples = {
        "history": torch.ones(2, student.max_history, dtype=torch.int64),  # [2, L]
        "candidates": torch.ones(2, 3, dtype=torch.int64),  # [2, 3]
    }
    free = (("batch",), ("batch", "candidates"))
    write_traced(_Rerank(student), Signature(examples, free, "scores"), path)
    require_free_candidates(onnx.load(path))


def require_free_candidates(model: onnx.ModelProto) -> None:
    """Look at the second dimension of candidates and scores.

    Raises:
        ExportError: it is a number, so that only so many candidates could be scored.
    """
    for value in (model.graph.input[1], model.graph.output[0]):
        offered = value.type.tensor_type.shape.dim[1]
        if not offered.dim_param:
            raise ExportError(f"the exported graph fixes the candidates of {value.name!r} at {offered.dim_value}")


@dataclass(frozen=True, eq=False)
class OnnxReranker:
    """The graph, run as the service runs it."""

    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path) -> OnnxReranker:
        """Open the graph of a bundle's folder on the CPU."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return cls(onnxruntime.InferenceSession(folder / RERANK, options, providers=["CPUExecutionProvider"]))

    def score(self, history: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float32]:
        """int64[B, L], int64[B, C] -> float32[B, C]."""
        (scores,) = self.session.run(["scores"], {"history": history, "candidates": candidates})
        return np.asarray(scores)  # [B, C]


def prove_reranking(
    student: Reranker, graphs: tuple[OnnxStudent, OnnxReranker], histories: NDArray[np.int64]
) -> RerankerInfo:
    """Compare the scores of random candidates for all histories int64[H, L], in all batch sizes, and of every item for
    some; and say what of the student's own top retrieval finds.

    Raises:
        ParityBroken: a difference beyond the tolerance, or a NaN.
    """
    retrieval, reranker = graphs
    worst = max(_apart_at_random(student, reranker, histories), _apart_anywhere(student, reranker, histories))
    if not worst <= TOLERANCE:
        raise ParityBroken(
            f"over {len(histories)} histories {RERANK} differs from the student by up to {worst:.2e} "
            f"(allowed: {TOLERANCE:.0e})"
        )
    recall = _recall(student, retrieval, histories[-RECALLED:])
    return RerankerInfo(candidates=CANDIDATES, recall=recall, max_abs_diff=worst)


def _apart_at_random(student: Reranker, reranker: OnnxReranker, histories: NDArray[np.int64]) -> float:
    """Histories in batches of every size, each with as many candidates as goes with it; PAD is among them too."""
    items = student.item_matrix().shape[0] - 1
    candidates = np.random.default_rng(2).integers(PAD, items + 1, (len(histories), CANDIDATES))  # [H, C]
    worst = 0.0
    for rows in _slices(len(histories), BLOCK):
        history, offered = histories[rows], candidates[rows]  # [B, L], [B, C]
        with torch.no_grad():
            wanted = student.rerank(torch.from_numpy(history), torch.from_numpy(offered)).numpy()  # [B, C]
        for size, count in zip(BATCHES, OFFERED, strict=True):
            for part in _slices(len(history), size):
                found = reranker.score(history[part], offered[part, :count])  # [<= size, count]
                worst = max(worst, apart(found, wanted[part, :count]))
    return worst


def _apart_anywhere(student: Reranker, reranker: OnnxReranker, histories: NDArray[np.int64]) -> float:
    """Every item is a candidate, for histories from the middle, which are somebody's."""
    chosen = histories[len(histories) // 2 :][:WHOLE]  # [W, L]
    with torch.no_grad():
        wanted = student.catalogue_scores(torch.from_numpy(chosen)).numpy()[:, PAD + 1 :]  # [W, N]
    every = np.tile(np.arange(PAD + 1, wanted.shape[1] + 1), (len(chosen), 1))  # [W, N]
    return max(
        apart(reranker.score(chosen, every[:, start : start + CANDIDATES]), wanted[:, start : start + CANDIDATES])
        for start in range(0, every.shape[1], CANDIDATES)
    )


def _recall(student: Reranker, retrieval: OnnxStudent, histories: NDArray[np.int64]) -> float:
    """Share of the student's own top items that retrieval hands over."""
    found: list[float] = []
    for rows in _slices(len(histories), BLOCK):
        history = histories[rows]  # [B, L]
        with torch.no_grad():
            scores = student.catalogue_scores(torch.from_numpy(history)).numpy()[:, PAD + 1 :]  # [B, N]
        own = np.argsort(-scores, axis=1, kind="stable")[:, :TOP] + 1  # [B, K]
        _, offered = retrieval.top(retrieval.encode(history), min(CANDIDATES, scores.shape[1]))  # [B, C]
        found.extend(float(np.isin(mine, theirs).mean()) for mine, theirs in zip(own, offered, strict=True))
    return float(np.mean(found))


def _slices(rows: int, size: int) -> list[slice]:
    """Consecutive parts; the last may be smaller."""
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
