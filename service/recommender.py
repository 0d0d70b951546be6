"""The heart: item ids in, the best allowed items out. Knows nothing of HTTP or Redis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.bundle import PAD, ModelBundle, history_window
from service.self_test import EncodesHistories, RetrievesItems
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


class Recommender:
    """Window, encode, retrieve, drop.

    Exactness: with k known items to drop, the best n + k of the catalogue hold the best n of what is allowed, whatever
    the k are. So the answer equals a full sort without them, and is filled whenever enough items are allowed.
    """

    def __init__(self, bundle: ModelBundle, encoder: EncodesHistories, retrieval: RetrievesItems) -> None:
        self._bundle = bundle
        self._encoder = encoder
        self._retrieval = retrieval
        self._length = bundle.manifest.encoder.max_history

    def recommend(self, query: Query, timings: Timings) -> Recommendation:
        """The best `n` allowed items, or as many as are allowed; what is popular when no item of the history is known.

        Always one history at a time: the answer cannot depend on who else is asking.
        """
        with timings.measure("encode"):
            history = self._bundle.catalog.indices(query.history)  # [H]
            history = history[history != PAD]
        if not history.size:
            return self._popular(query, timings)
        with timings.measure("encode"):
            user = self._encoder.encode(history_window(history, self._length)[np.newaxis])  # [1, D]
        drop = self._drop(query, history)
        with timings.measure("retrieve"):
            wanted = min(query.n + drop.size, len(self._bundle.catalog))
            scores, items = self._retrieval.best(user, wanted)  # [1, K]
        with timings.measure("rank"):
            return self._keep("model", items[0], scores[0], drop, query.n)

    def _popular(self, query: Query, timings: Timings) -> Recommendation:
        with timings.measure("rank"):
            drop = self._drop(query, np.empty(0, np.int64))
            items = self._bundle.popular[: query.n + drop.size]  # [K]
            scores = 1.0 / np.arange(1, items.size + 1)  # [K]
            return self._keep("popular", items, scores, drop, query.n)

    def _drop(self, query: Query, history: NDArray[np.int64]) -> NDArray[np.int64]:
        """Distinct known items that must not come back; [K]."""
        excluded = self._bundle.catalog.indices(query.exclude)
        seen = history if query.exclude_seen else history[:0]
        drop: NDArray[np.int64] = np.unique(np.concatenate([excluded, seen]))
        known: NDArray[np.int64] = drop[drop != PAD]
        return known

    def _keep(
        self,
        source: Literal["model", "popular"],
        items: NDArray[np.int64] | NDArray[np.int32],
        scores: NDArray[np.floating],
        drop: NDArray[np.int64],
        n: int,
    ) -> Recommendation:
        allowed = np.flatnonzero(~np.isin(items, drop))[:n]  # [<= n]
        item_ids = map(self._bundle.catalog.item_id, items[allowed].tolist())
        return Recommendation(source, tuple(item_ids), tuple(scores[allowed].tolist()))

    def unknown(self, item_ids: Iterable[str]) -> list[str]:
        """Those of the ids that the catalogue does not know, each once, in their order."""
        distinct = list(dict.fromkeys(item_ids))
        indices = self._bundle.catalog.indices(distinct).tolist()
        return [item_id for item_id, index in zip(distinct, indices, strict=True) if index == PAD]
