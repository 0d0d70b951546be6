"""The heart: item ids in, the best allowed items out. Knows nothing of HTTP or Redis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD, ModelBundle, history_window
from service.lockstep import Fetch, Steps, in_lockstep
from service.self_test import EncodesHistories, RetrievesItems, ScoresCandidates
from service.timings import Timings


@dataclass(frozen=True)
class Query:
    """What to recommend from, and what not to."""

    history: Sequence[str]
    """Item ids, oldest first; ids that the catalogue does not know count for nothing."""
    n: int
    exclude: Sequence[str] = ()
    exclude_seen: bool = True


@dataclass(frozen=True)
class Recommendation:
    """A ranked list: no item twice, scores never rise."""

    source: Literal["model", "popular"]
    item_ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Allowed items by their catalogue indices, best first."""

    items: NDArray[np.int64]
    """[K]"""
    scores: NDArray[np.floating]
    """[K]"""

    def by(self, scores: NDArray[np.float32]) -> _Ranked:
        """Ranked anew by these scores [K]; of equal ones the one that was ahead stays ahead."""
        order = np.argsort(-scores, kind="stable")  # [K]
        return _Ranked(self.items[order], scores[order])


def _without(
    drop: NDArray[np.int64],
    items: NDArray[np.int64] | NDArray[np.int32],
    scores: NDArray[np.floating],
    kept: int,
) -> _Ranked:
    """The first `kept` of ranked items that are allowed."""
    allowed = np.flatnonzero(~np.isin(items, drop))[:kept]  # [<= kept]
    return _Ranked(items[allowed].astype(np.int64, copy=False), scores[allowed])


class Recommender:
    """Window, encode, retrieve, drop; and where the bundle has a re-ranker, re-rank.

    Exactness: with k known items to drop, the best n + k of the catalogue hold the best n of what is allowed, whatever
    the k are. So the answer equals a full sort without them, and is filled whenever enough items are allowed.

    A re-ranker is given the best allowed items, as many as the manifest says (n, where that is more). What is dropped
    costs no candidate its place, and up to that many a shorter list is the head of a longer one.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        encoder: EncodesHistories,
        retrieval: RetrievesItems,
        reranker: ScoresCandidates | None = None,
    ) -> None:
        self._bundle = bundle
        self._encoder = encoder
        self._retrieval = retrieval
        self._reranker = reranker
        self._candidates = 0 if bundle.manifest.reranker is None else bundle.manifest.reranker.candidates
        self._length = bundle.manifest.encoder.max_history

    @property
    def most_at_once(self) -> int:
        """How many queries `recommend_many` likes to be given; 1: it gains nothing from more."""
        return self._retrieval.most_at_once

    def recommend(self, query: Query, timings: Timings) -> Recommendation:
        """The best `n` allowed items, or as many as are allowed; what is popular when no item of the history is
        known."""
        (answer,) = self.recommend_many([query], [timings])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recommend_many(self, queries: Sequence[Query], timings: Sequence[Timings]) -> list[Recommendation | Exception]:
        """For each query what `recommend` says, or raises, to the bit: an answer cannot depend on who else is asking.

        Histories are encoded one by one; only retrieval may take several at once, where it proves to be as exact.
        """
        steps = [self._steps(query, own) for query, own in zip(queries, timings, strict=True)]
        return in_lockstep(steps, timings, self._retrieval.best_many)

    def _steps(self, query: Query, timings: Timings) -> Steps[Recommendation]:
        """One recommendation; it yields what it needs of retrieval."""
        with timings.measure("encode"):
            history = self._bundle.catalog.indices(query.history)  # [H]
            history = history[history != PAD]
        if not history.size:
            return self._popular(query, timings)
        with timings.measure("encode"):
            window = history_window(history, self._length)[np.newaxis]  # [1, L]
            user = self._encoder.encode(window)  # [1, D]
        drop = self._drop(query, history)
        kept = query.n if self._reranker is None else max(query.n, self._candidates)
        scores, items = yield Fetch(user, min(kept + drop.size, len(self._bundle.catalog)))  # [K]
        with timings.measure("rank"):
            best = _without(drop, items, scores, kept)
        if self._reranker is not None and best.items.size:
            with timings.measure("rerank"):
                best = best.by(self._reranker.score(window, best.items[np.newaxis])[0])
        with timings.measure("rank"):
            return self._named("model", best, query.n)

    def _popular(self, query: Query, timings: Timings) -> Recommendation:
        with timings.measure("rank"):
            drop = self._drop(query, np.empty(0, np.int64))
            items = self._bundle.popular[: query.n + drop.size]  # [K]
            scores = 1.0 / np.arange(1, items.size + 1)  # [K]
            return self._named("popular", _without(drop, items, scores, query.n), query.n)

    def _drop(self, query: Query, history: NDArray[np.int64]) -> NDArray[np.int64]:
        """Distinct known items that must not come back; [K]."""
        excluded = self._bundle.catalog.indices(query.exclude)
        seen = history if query.exclude_seen else history[:0]
        drop: NDArray[np.int64] = np.unique(np.concatenate([excluded, seen]))
        known: NDArray[np.int64] = drop[drop != PAD]
        return known

    def _named(self, source: Literal["model", "popular"], ranked: _Ranked, n: int) -> Recommendation:
        item_ids = map(self._bundle.catalog.item_id, ranked.items[:n].tolist())
        return Recommendation(source, tuple(item_ids), tuple(ranked.scores[:n].tolist()))

    def unknown(self, item_ids: Iterable[str]) -> list[str]:
        """Those of the ids that the catalogue does not know, each once, in their order."""
        distinct = list(dict.fromkeys(item_ids))
        indices = self._bundle.catalog.indices(distinct).tolist()
        return [item_id for item_id, index in zip(distinct, indices, strict=True) if index == PAD]
