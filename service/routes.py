"""The operations, a few lines each: take the request apart, ask the parts, put the response together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from service.histories import StoredEvent
from service.id_paths import user_path
from service.metrics import Metrics
from service.observation import Observed
from service.openapi import errors
from service.patience import Caller
from service.recommending import RecommendingHere
from service.schemas import (
    Event,
    EventsRequest,
    EventsResponse,
    HistoryItem,
    HistoryResponse,
    RecommendRequest,
    RecommendResponse,
)
from service.state import Service


# All of these are `async` although they wait for nothing: FastAPI sends the others to a pool of threads, one hop each,
# which takes longer than all else that the event loop does for a recommendation.
async def service_of(request: Request) -> Service:
    """What the lifespan made."""
    service: Service = request.state.service
    return service


async def observed_of(request: Request) -> Observed:
    """What is noted of this request."""
    observed: Observed = request.state.observed
    return observed


async def caller_of(request: Request) -> Caller:
    """Who waits for the answer. Its body has been read by then."""
    return Caller(request.receive)


async def metrics_of(request: Request) -> Metrics:
    """The metrics of this app."""
    metrics: Metrics = request.app.state.metrics
    return metrics


ServiceHere = Annotated[Service, Depends(service_of)]
ObservedHere = Annotated[Observed, Depends(observed_of)]
CallerHere = Annotated[Caller, Depends(caller_of)]
MetricsHere = Annotated[Metrics, Depends(metrics_of)]
UserInPath = Annotated[str, Path(min_length=1, max_length=256)]
router = APIRouter()


@router.post(
    "/recommend",
    response_model_exclude_unset=True,
    responses=errors(400, 404, 408, 413, 422, 429, 500, 504),
    summary="Recommend items to a user",
    tags=["recommendations"],
)
async def recommend(body: RecommendRequest, here: RecommendingHere) -> RecommendResponse:
    """The best items for a user."""
    (stored,) = await here.stored([body])
    return await here.answer(body, stored, here.observed.timings)


@router.post(
    "/events",
    responses=errors(400, 408, 413, 422, 429, 500, 503),
    summary="Append interactions to histories",
    tags=["histories"],
)
async def events(body: EventsRequest, service: ServiceHere, metrics: MetricsHere) -> EventsResponse:
    """Append interactions to the histories. Once answered, every later recommendation sees them, on any worker."""
    unknown = service.models.unknown(event.item_id for event in body.events)
    refused = set(unknown)
    known = [event for event in body.events if event.item_id not in refused]
    accepted = await service.histories.append(_by_user(known)) if known else 0
    metrics.events.labels("accepted").inc(accepted)
    metrics.events.labels("duplicate").inc(len(known) - accepted)
    metrics.events.labels("unknown_item").inc(len(body.events) - len(known))
    return EventsResponse(accepted=accepted, duplicates=len(known) - accepted, unknown_items=unknown)


def _by_user(events: list[Event]) -> dict[str, list[StoredEvent]]:
    """The events of each user, oldest first; those without a time are newest, in the order given."""
    by_time = sorted(events, key=lambda event: float("inf") if event.timestamp is None else event.timestamp)
    grouped: dict[str, list[StoredEvent]] = {}
    for event in by_time:
        grouped.setdefault(event.user_id, []).append(StoredEvent(event.item_id, event.event_id))
    return grouped


@router.get(
    user_path("/history"), responses=errors(422, 429, 500, 503), summary="Show a stored history", tags=["histories"]
)
async def history(user_id: UserInPath, service: ServiceHere) -> HistoryResponse:
    """What is stored of a user."""
    items = await service.histories.show(user_id)
    return HistoryResponse(user_id=user_id, items=[HistoryItem(item_id=item_id) for item_id in items])


@router.delete(
    user_path("/history"),
    status_code=204,
    responses=errors(422, 429, 500, 503),
    summary="Forget a user",
    tags=["histories"],
)
async def erase(user_id: UserInPath, service: ServiceHere) -> None:
    """Forget all that is stored of a user, the ids of their events too. Doing it again changes nothing."""
    await service.histories.erase(user_id)
