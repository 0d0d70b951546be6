"""Ready means: the opened graphs have given the stored answers again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.bundle import ModelBundle, SelfTestFailed
from service.bundle.files import ENCODER, GOLDEN, RERANK, RETRIEVAL
from service.lockstep import Fetch, Found

RELATIVE = 1e-4
"""Beside the manifest's absolute tolerance: other CPUs add float32 in another order."""


class EncodesHistories(Protocol):
    """What the self-test and the recommender need of an encoder."""

    def encode(self, history: NDArray[np.int64]) -> NDArray[np.float32]:
        """[B, L] -> [B, D]."""
        ...


class RetrievesItems(Protocol):
    """What the self-test and the recommender need of a retrieval."""

    @property
    def most_at_once(self) -> int:
        """How many fetches it likes to be given together; 1: it gains nothing from more."""
        ...

    def best(self, user: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best n: scores [B, n] and catalogue indices [B, n]."""
        ...

    def best_many(self, fetches: Sequence[Fetch]) -> list[Found]:
        """For each fetch what it would get alone, to the bit."""
        ...


class ScoresCandidates(Protocol):
    """What the self-test and the recommender need of a re-ranker."""

    def score(self, history: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float32]:
        """[B, L], [B, C] -> [B, C]."""
        ...


def self_test(
    bundle: ModelBundle,
    encoder: EncodesHistories,
    retrieval: RetrievesItems,
    reranker: ScoresCandidates | None = None,
) -> None:
    """Replay the golden inputs one by one, as requests come.

    Raises:
        SelfTestFailed: an answer is not the stored one; names the file and the golden row.
    """
    golden, tolerance = bundle.golden, bundle.manifest.parity.tolerance
    for row in range(len(golden.history)):
        user = encoder.encode(golden.history[row : row + 1])  # [1, D]
        if not _close(user[0], golden.user[row], tolerance):
            raise SelfTestFailed(f"{bundle.folder / ENCODER}: not the user vector of row {row} of {GOLDEN}")
        scores, items = retrieval.best(user, golden.items.shape[1])  # [1, K]
        scores_hold = _close(scores[0], golden.scores[row], tolerance)
        if not scores_hold or not _same_items(items[0], golden.items[row], golden.scores[row], tolerance):
            raise SelfTestFailed(f"{bundle.folder / RETRIEVAL}: not the items of row {row} of {GOLDEN}")
    if reranker is not None and golden.reranked is not None:
        _replay_reranking(bundle, reranker, golden.reranked)


def _replay_reranking(bundle: ModelBundle, reranker: ScoresCandidates, stored: NDArray[np.float32]) -> None:
    golden = bundle.golden
    for row in range(len(golden.history)):
        found = reranker.score(golden.history[row : row + 1], golden.items[row : row + 1])  # [1, K]
        if not _close(found[0], stored[row], bundle.manifest.parity.tolerance):
            raise SelfTestFailed(f"{bundle.folder / RERANK}: not the scores of row {row} of {GOLDEN}")


def _close(found: NDArray[np.float32], stored: NDArray[np.float32], tolerance: float) -> bool:
    return found.shape == stored.shape and bool(np.allclose(found, stored, rtol=RELATIVE, atol=tolerance))


def _same_items(
    found: NDArray[np.int64], stored: NDArray[np.int64], scores: NDArray[np.float32], tolerance: float
) -> bool:
    """Each item in its stored place, or in one whose stored score is as good as its own.

    An item that the stored list does not have may only have tied with the list's last.
    """
    own_score = dict(zip(stored.tolist(), scores.tolist(), strict=True))
    last = float(scores[-1])
    own = np.array([own_score.get(item, last) for item in found.tolist()], np.float32)  # [K]
    return len(set(found.tolist())) == len(found) and _close(own, scores, 2 * tolerance)
