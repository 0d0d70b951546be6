"""One recommendation, from its request to its response: what `/recommend` and `/recommend/batch` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.explanation import Reason
from service.metrics import Metrics
from service.observation import Observed
from service.outcome import HistoryRead, Outcome
from service.patience import Caller, Patience
from service.recommender import Query, Recommendation
from service.schemas import ReasonGiven, RecommendedItem, RecommendRequest, RecommendResponse
from service.state import Service
from service.timings import Timings


@dataclass(frozen=True, eq=False)
class Recommending:
    """What a recommendation needs beside what was asked."""

    service: Service
    observed: Observed
    metrics: Metrics
    caller: Caller

    async def answer(self, body: RecommendRequest, stored: list[str] | None, timings: Timings) -> RecommendResponse:
        """The response to one request; `stored`: the user's history, None where it could not be read.

        Raises:
            ServiceError: it has none.
        """
        chosen = self.service.models.choose(body.user_id, body.model)
        with chosen.served as served:
            patience = Patience.of(self.observed.started, body.deadline_ms, self.caller)
            found = await served.thread.recommend(_query(body, stored or []), timings, patience)
            outcome = Outcome(found.source, _history_read(body, stored), served.version, chosen.variant)
            self.metrics.coverage.note(served.version, len(served.model.bundle.catalog), found.items)
        self.metrics.observe_list(outcome, found.scores)
        self.observed.outcomes.append(outcome)
        return RecommendResponse(
            request_id=self.observed.request_id,
            user_id=body.user_id,
            model_version=outcome.model_version,
            variant=chosen.variant,
            source=found.source,
            degraded=outcome.degraded,
            unknown_categories=list(found.unknown.categories),
            unknown_brands=list(found.unknown.brands),
            items=ranked_items(found),
        )

    async def stored(self, bodies: list[RecommendRequest]) -> list[list[str] | None]:
        """For each request the stored history that counts, read in one trip for all; [] for those without."""
        users = list(dict.fromkeys(user for body in bodies if (user := _user_to_read(body)) is not None))
        if not users:
            return [[] for _ in bodies]
        with self.observed.timings.measure("history"):
            read = await self.service.histories.read_many(users)
        history = dict(zip(users, read, strict=True))
        return [[] if (user := _user_to_read(body)) is None else history[user] for body in bodies]


async def recommending(request: Request) -> Recommending:
    """As FastAPI depends on it: once the body was read."""
    state = request.state
    return Recommending(state.service, state.observed, request.app.state.metrics, Caller(request.receive))


RecommendingHere = Annotated[Recommending, Depends(recommending)]


def _user_to_read(body: RecommendRequest) -> str | None:
    """Whose stored history counts, if anybody's."""
    return body.user_id if body.history is None else None


def _history_read(body: RecommendRequest, stored: list[str] | None) -> HistoryRead:
    if _user_to_read(body) is None:
        return "not_read"
    if stored is None:
        return "failed"
    return "found" if stored else "empty"


def _query(body: RecommendRequest, stored: list[str]) -> Query:
    history = stored if body.history is None else body.history
    return Query(
        history=[*history, *body.context_items],
        n=body.n,
        exclude=body.exclude,
        exclude_seen=body.exclude_seen,
        filters=body.filters,
        diversity=body.diversity,
        explain=body.explain,
    )


def ranked_items(found: Recommendation) -> list[RecommendedItem]:
    """The items as they go out: `reason` is set, and so sent, only where it was asked for."""
    if found.reasons is None:
        ranked = enumerate(zip(found.item_ids, found.scores, strict=True), start=1)
        return [RecommendedItem(item_id=item_id, score=score, rank=rank) for rank, (item_id, score) in ranked]
    explained = enumerate(zip(found.item_ids, found.scores, found.reasons, strict=True), start=1)
    return [
        RecommendedItem(item_id=item_id, score=score, rank=rank, reason=[_given(one) for one in reasons])
        for rank, (item_id, score, reasons) in explained
    ]


def _given(reason: Reason) -> ReasonGiven:
    return ReasonGiven(item_id=reason.item_id, similarity=reason.similarity, share=reason.share)
