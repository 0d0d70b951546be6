"""The heart: item ids in, the best allowed items out. Knows nothing of HTTP or Redis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.allowed import Allowed
from service.bundle import PAD, ModelBundle, history_window
from service.candidates import Candidates
from service.diversity import diversified, pool_size
from service.explanation import Explanation, Reason
from service.filters import Filters
from service.item_index import ItemIndex, UnknownValues
from service.item_vectors import ItemVectors
from service.lockstep import Steps, in_lockstep
from service.popularity import Popularity
from service.ranked import Ranked
from service.repeats import Repeats
from service.self_test import EncodesHistories, RetrievesItems, ScoresCandidates
from service.similar import Neighbours, SimilarTo
from service.timings import Timings

Source = Literal["model", "popular"]
Reasons: TypeAlias = tuple[tuple[Reason, ...], ...]
ALL_KNOWN = UnknownValues()


@dataclass(frozen=True)
class Query:
    """What to recommend from, and what not to."""

    history: Sequence[str]
    """Item ids, oldest first; ids that the catalogue does not know count for nothing."""
    n: int
    exclude: Sequence[str] = ()
    exclude_seen: bool = True
    """False: what was seen may come back, its score moved by the offset of the bundle."""
    filters: Filters | None = None
    """None: the whole catalogue."""
    diversity: float = 0.0
    """0 to 1: how much unlikeness counts beside the score."""
    explain: bool = False
    """Give the reasons of each item."""

    @property
    def considered(self) -> int:
        """How many of the best the n are chosen from."""
        return pool_size(self.n) if self.diversity else self.n


@dataclass(frozen=True)
class Recommendation:
    """A ranked list: no item twice. Scores never rise, unless diversity had a say."""

    source: Source
    item_ids: tuple[str, ...]
    scores: tuple[float, ...]
    unknown: UnknownValues = ALL_KNOWN
    """What the filters named and the catalogue does not."""
    reasons: Reasons | None = None
    """Of each item; None: not asked for."""
    items: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), compare=False, repr=False)
    """[n], the same items by their catalogue indices."""


Asked: TypeAlias = Query | SimilarTo


class Recommender:
    """Window, encode, the best candidates that are allowed; and where the bundle has a re-ranker, re-rank.

    A re-ranker is given the best allowed items, as many as the manifest says (n, where that is more). What is dropped
    costs no candidate its place, and up to that many a shorter list is the head of a longer one. Where the bundle has
    an offset, what was seen and may come back costs none either: it is given beside them.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        encoder: EncodesHistories,
        retrieval: RetrievesItems,
        reranker: ScoresCandidates | None = None,
    ) -> None:
        """Index the items' categories and brands.

        Raises:
            BundleCorrupt: a card of the bundle is none.
        """
        self._bundle = bundle
        self._encoder = encoder
        self._retrieval = retrieval
        self._reranker = reranker
        self._reranked = 0 if bundle.manifest.reranker is None else bundle.manifest.reranker.candidates
        self._vectors = ItemVectors(bundle)
        self._candidates = Candidates(self._vectors)
        self._repeats = Repeats(self._vectors, bundle.manifest.repeat_offset)
        self._neighbours = Neighbours(self._vectors)
        self._explanation = Explanation(self._vectors, bundle.catalog)
        self._popularity = Popularity(bundle.popular)
        self._index = ItemIndex.of(bundle)
        self.facets = self._index.facets()
        """What a person may filter by. Counted now, on whatever thread opens the model: a catalogue may have a million
        brands, and the event loop answers nobody while it counts them."""
        self._length = bundle.manifest.encoder.max_history

    @property
    def most_at_once(self) -> int:
        """How many queries `recommend_many` likes to be given; 1: it gains nothing from more."""
        return self._retrieval.most_at_once

    def recommend(self, query: Asked, timings: Timings) -> Recommendation:
        """The best `n` allowed items, or as many as are allowed; what is popular when no item of the history is
        known. Or, so asked, the items that are most like another one."""
        (answer,) = self.recommend_many([query], [timings])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recommend_many(self, queries: Sequence[Asked], timings: Sequence[Timings]) -> list[Recommendation | Exception]:
        """For each query what `recommend` says, or raises, to the bit: an answer cannot depend on who else is asking.

        Histories are encoded one by one; only retrieval may take several at once, where it proves to be as exact.
        """
        steps = [
            self._similar(query, own) if isinstance(query, SimilarTo) else self._steps(query, own)
            for query, own in zip(queries, timings, strict=True)
        ]
        return in_lockstep(steps, timings, self._retrieval.best_many)

    def _steps(self, query: Query, timings: Timings) -> Steps[Recommendation]:
        """One recommendation; it yields what it needs of retrieval."""
        with timings.measure("encode"):
            history = self._bundle.catalog.indices(query.history)  # [H]
            history = history[history != PAD]
        if not history.size:
            allowed = self._allowed(query, history, timings)
            with timings.measure("rank"):
                popular = self._popularity.best(query.considered, allowed)
            return self._answer("popular", popular, query, history, timings)
        with timings.measure("encode"):
            window = history_window(history, self._length)[np.newaxis]  # [1, L]
            user = self._encoder.encode(window)  # [1, D]
        allowed = self._allowed(query, history, timings)
        with timings.measure("retrieve"):
            repeats = self._repeats.of(history[:0] if query.exclude_seen else history, allowed)  # [S]
            new = allowed.without(repeats) if repeats.size else allowed
        # What a re-ranker is given does not depend on diversity: a trace of it would else let new items in.
        considered = query.considered if self._reranker is None else max(query.n, self._reranked)
        best = yield from self._candidates.best(user, considered, new, timings)
        with timings.measure("rank"):
            joined = self._repeats.moved_among if self._reranker is None else self._repeats.as_they_are_among
            best = joined(best, repeats, user[0])
        if self._reranker is not None and best.items.size:
            with timings.measure("rerank"):
                scores = self._reranker.score(window, best.items[np.newaxis])[0]  # [K]
                best = best.by(self._repeats.moved(scores, best.items, repeats))
        return self._answer("model", best.first(considered), query, window[0], timings)

    def _answer(
        self, source: Source, best: Ranked, query: Query, seen: NDArray[np.int64], timings: Timings
    ) -> Recommendation:
        """The n of at least as many that come back; `seen` [H]: what the model saw of the history, PAD among it."""
        chosen, reasons = self._chosen(best, query, timings), None
        if query.explain:
            with timings.measure("explain"):
                reasons = self._explanation.of(chosen.items, seen[seen != PAD])
        return self._named(source, chosen, query, timings, reasons)

    def _chosen(self, best: Ranked, query: Query, timings: Timings) -> Ranked:
        """The n that come back, of at least as many."""
        if not query.diversity:
            return best.first(query.n)
        with timings.measure("diversify"):
            return diversified(best, self._vectors.units(best.items - 1), query.n, query.diversity)

    def _similar(self, query: SimilarTo, timings: Timings) -> Steps[Recommendation]:
        """What is most like an item; of retrieval it needs nothing."""
        yield from ()
        mask = self._mask(query.filters, timings)
        with timings.measure("retrieve"):
            best = self._neighbours.of(query.item, query.n, mask)
        return self._named("model", best, query, timings)

    def _allowed(self, query: Query, history: NDArray[np.int64], timings: Timings) -> Allowed:
        """What may come back to somebody with this history [H]."""
        excluded = self._bundle.catalog.indices(query.exclude)
        seen = history if query.exclude_seen else history[:0]
        drop: NDArray[np.int64] = np.unique(np.concatenate([excluded, seen]))
        drop = drop[drop != PAD]  # [K]
        mask = self._mask(query.filters, timings)
        return Allowed(drop) if mask is None else Allowed.within(mask, drop)

    def _mask(self, filters: Filters | None, timings: Timings) -> NDArray[np.bool_] | None:
        """bool[N] of what passes; None: everything does."""
        if filters is None or not filters.constrain:
            return None
        with timings.measure("filter"):
            return self._index.allowed(filters)

    def _named(
        self, source: Source, ranked: Ranked, query: Asked, timings: Timings, reasons: Reasons | None = None
    ) -> Recommendation:
        """The items by their ids."""
        with timings.measure("rank"):
            item_ids = map(self._bundle.catalog.item_id, ranked.items.tolist())
            unknown = ALL_KNOWN if query.filters is None else self._index.unknown(query.filters)
            return Recommendation(
                source, tuple(item_ids), tuple(ranked.scores.tolist()), unknown, reasons, ranked.items
            )

    def unknown(self, item_ids: Iterable[str]) -> list[str]:
        """Those of the ids that the catalogue does not know, each once, in their order."""
        distinct = list(dict.fromkeys(item_ids))
        indices = self._bundle.catalog.indices(distinct).tolist()
        return [item_id for item_id, index in zip(distinct, indices, strict=True) if index == PAD]
