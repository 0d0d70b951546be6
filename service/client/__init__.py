"""A typed client of the service, for programs that call it: `Client`, and `AsyncClient` for those that await.

    with Client("http://127.0.0.1:8000", Options(key="K8w…")) as client:
        answer = client.send(calls.recommend(RecommendRequest(user_id="ada", n=5)))

It needs httpx and pydantic and nothing else, of this project neither: the folder may be copied into a program of your
own. `service.client.calls` has a function for each operation of docs/openapi.json, by its name there.
"""

from . import calls
from .errors import (
    CallFailed,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    NoAnswer,
    NotAllowed,
    NotFound,
    Rejected,
    ServerFailed,
    TooManyRequests,
    Unavailable,
    UnknownAnswer,
)
from .http import AsyncClient, Client, Options
from .models import (
    BatchRequest,
    Event,
    EventsRequest,
    EventsResponse,
    Filters,
    RecommendRequest,
    RecommendResponse,
    SimilarParameters,
    WhoseModel,
)
from .retries import Retries

__all__ = [
    "AsyncClient", "BatchRequest", "CallFailed", "Client", "Conflict", "DeadlineExceeded", "Event", "EventsRequest",
    "EventsResponse", "Filters", "InvalidRequest", "NoAnswer", "NotAllowed", "NotFound", "Options", "RecommendRequest",
    "RecommendResponse", "Rejected", "Retries", "ServerFailed", "SimilarParameters", "TooManyRequests", "Unavailable",
    "UnknownAnswer", "WhoseModel", "calls",
]  # fmt: skip
