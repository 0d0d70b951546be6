"""Several recommendations in one request: one answer or one error for each."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError

from service.batch_schemas import BatchEntry, BatchRequest, BatchResponse, NoRequest
from service.errors import INTERNAL, ClientGone, body_of, row_of
from service.observation import note_error
from service.openapi import errors
from service.recommending import Recommending, RecommendingHere
from service.schemas import ErrorBody, RecommendRequest, RecommendResponse
from service.timings import Timings

router = APIRouter()


@router.post(
    "/recommend/batch",
    response_model_exclude_unset=True,
    responses=errors(400, 408, 413, 422, 429, 500),
    summary="Recommend items to several users",
    tags=["recommendations"],
)
async def recommend_batch(body: BatchRequest, request: Request, here: RecommendingHere) -> BatchResponse:
    """Recommendations for several users. One that has an error does not touch the others."""
    _require_few(body.requests, request.app.state.settings.batch_requests)
    request.state.permit.take(len(body.requests))
    asked = [entry for entry in body.requests if isinstance(entry, RecommendRequest)]
    stored = iter(await here.stored(asked))
    work = [
        _refused(entry) if isinstance(entry, NoRequest) else _answered(here, entry, next(stored))
        for entry in body.requests
    ]
    results = await asyncio.gather(*work, return_exceptions=True)
    return BatchResponse(responses=[_response(here, result) for result in results])


def _require_few(requests: list[BatchEntry], most: int) -> None:
    if len(requests) > most:
        complaint = {"loc": ("body", "requests"), "msg": f"{len(requests)} requests in one batch, {most} at most"}
        raise RequestValidationError([complaint])


async def _refused(entry: NoRequest) -> RecommendResponse:
    raise RequestValidationError(entry.complaints)


async def _answered(here: Recommending, entry: RecommendRequest, stored: list[str] | None) -> RecommendResponse:
    """Times of its own: the thread writes to those of several at once."""
    timings = Timings()
    try:
        return await here.answer(entry, stored, timings)
    finally:
        here.metrics.observe_stages(timings)
        here.observed.parts.append(timings)


def _response(here: Recommending, result: RecommendResponse | BaseException) -> RecommendResponse | ErrorBody:
    if isinstance(result, RecommendResponse):
        return result
    if isinstance(result, ClientGone) or not isinstance(result, Exception):
        raise result  # of all of them: nobody is there to read the others
    note_error(result, here.observed, here.metrics)
    if row_of(result) is INTERNAL:
        log = structlog.get_logger("service.request")
        log.error("request of a batch failed", **here.observed.ids, exc_info=result)
    return body_of(result, here.observed.request_id)
