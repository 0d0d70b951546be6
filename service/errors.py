"""What a request can end in other than an answer, and the one table that says how it looks from outside.

ServiceError
├── Unauthorized         no key, or nobody's
├── RateLimited          this caller asks too often
├── Overloaded           every permit is taken, or the model's queue is full
├── AdminClosed          no admin key is set, so nobody is the admin
├── UnknownModel         no model of this version is there
├── ModelRefused         a bundle did not prove sound: what served before goes on
├── NotActivated         nothing is wrong with the bundle, and still it cannot become the active one
├── UnknownItem          the path names an item that the catalogue does not have
├── NoImage              the path names an item of which the model's bundle has no picture
├── BodyTooLarge         more bytes than the service reads
├── BodyTooSlow          the body did not arrive in time
├── ClientGone           the caller left before the body was whole or the model ran: nobody reads the answer
├── ShuttingDown         asked whether it is ready, the worker is about to end
├── DeadlineExceeded     there was no answer within the time that the caller gave
└── HistoryUnavailable   Redis cannot be reached, and the answer would be a lie without it

Raised by the framework and translated here too: RequestValidationError, HTTPException (404, 405, unreadable JSON).
Everything else is a defect: 500, logged with its traceback, and nothing of it shown. What is wrong with a bundle
(service.bundle.errors) ends the start and never reaches a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from service.schemas import ErrorBody


class ServiceError(Exception):
    """A request that is refused for a reason that its caller may know."""

    retry_after: int | None = None
    """Seconds, where this one error knows better than its row."""


class Unauthorized(ServiceError):
    """The request has no key, or one that nobody has."""


class RateLimited(ServiceError):
    """A caller asks more often than the settings allow."""

    retry_after: int

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AdminClosed(ServiceError):
    """No admin key is set."""


class UnknownModel(ServiceError):
    """No model of this version is on disk, or none is open, whichever was asked for."""


class ModelRefused(ServiceError):
    """A bundle did not prove sound."""


class NotActivated(ServiceError):
    """A sound bundle cannot become the active one."""


class Overloaded(ServiceError):
    """Every permit is taken, or the model's queue is full."""


class UnknownItem(ServiceError):
    """The path names an item that the served catalogue does not have."""


class NoImage(ServiceError):
    """The path names an item that is known, and has no picture."""


class BodyTooLarge(ServiceError):
    """The body has more bytes than the service reads."""


class BodyTooSlow(ServiceError):
    """The body did not arrive in time."""


class ClientGone(ServiceError):
    """The caller hung up before the body was whole, or while waiting for the model."""


class ShuttingDown(ServiceError):
    """The worker is about to end."""


class DeadlineExceeded(ServiceError):
    """The time that the caller gave is over."""


class HistoryUnavailable(ServiceError):
    """Redis cannot be reached."""


@dataclass(frozen=True)
class ErrorRow:
    """How one kind of error is answered."""

    status: int
    error: str
    retry_after: int | None = None
    """Seconds, for the header of that name."""
    challenge: str | None = None
    """For the header WWW-Authenticate."""
    closes: bool = False
    """Hang up afterwards: what the caller is still sending is not read to its end."""


TABLE: dict[type[Exception], ErrorRow] = {
    RequestValidationError: ErrorRow(422, "invalid_request"),
    Unauthorized: ErrorRow(401, "unauthorized", challenge="Bearer"),
    RateLimited: ErrorRow(429, "rate_limited", retry_after=1),
    AdminClosed: ErrorRow(403, "admin_closed"),
    UnknownModel: ErrorRow(404, "unknown_model"),
    ModelRefused: ErrorRow(409, "model_refused"),
    NotActivated: ErrorRow(409, "not_activated"),
    Overloaded: ErrorRow(429, "overloaded", retry_after=1),
    UnknownItem: ErrorRow(404, "unknown_item"),
    NoImage: ErrorRow(404, "no_image"),
    BodyTooLarge: ErrorRow(413, "body_too_large", closes=True),
    BodyTooSlow: ErrorRow(408, "body_too_slow", closes=True),
    ClientGone: ErrorRow(400, "client_gone"),
    DeadlineExceeded: ErrorRow(504, "deadline_exceeded"),
    ShuttingDown: ErrorRow(503, "shutting_down", retry_after=1, closes=True),
    HistoryUnavailable: ErrorRow(503, "history_unavailable", retry_after=1),
}
INTERNAL = ErrorRow(500, "internal_error")
HTTP_ERRORS = {400: "unreadable_body", 404: "not_found", 405: "method_not_allowed"}
"""Names of the statuses that the framework itself raises."""
ERROR_NAMES = frozenset({row.error for row in (*TABLE.values(), INTERNAL)} | set(HTTP_ERRORS.values()))


def row_of(error: Exception) -> ErrorRow:
    """The row of an error; INTERNAL when the table does not know it."""
    if isinstance(error, HTTPException):
        default = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        return ErrorRow(error.status_code, HTTP_ERRORS.get(error.status_code, default))
    return TABLE.get(type(error), INTERNAL)


def body_of(error: Exception, request_id: str) -> ErrorBody:
    """The three fields that a caller is told of a failed request."""
    row = row_of(error)
    return ErrorBody(error=row.error, message=_message(error, row), request_id=request_id)


def answer(error: Exception, request_id: str) -> JSONResponse:
    """The response to a failed request: always the same three fields."""
    row = row_of(error)
    body = body_of(error, request_id)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    retry_after = row.retry_after
    if isinstance(error, ServiceError) and error.retry_after is not None:
        retry_after = error.retry_after
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if row.challenge is not None:
        headers["WWW-Authenticate"] = row.challenge
    if row.closes:
        headers["Connection"] = "close"
    return JSONResponse(body.model_dump(), row.status, headers)


def _message(error: Exception, row: ErrorRow) -> str:
    if row is INTERNAL:
        return "the service failed; its log has the details under this request_id"
    if isinstance(error, RequestValidationError):
        return "; ".join(_complaint(one) for one in error.errors()[:5])
    if isinstance(error, HTTPException):
        return str(error.detail)
    return str(error)


def _complaint(error: dict[str, object]) -> str:
    """`n: Input should be less than or equal to 500`. The input is never echoed; names that are no text are escaped."""
    location = error.get("loc")
    names = [str(part) for part in location if part != "body"] if isinstance(location, tuple) else []
    text = f"{'.'.join(names) or 'body'}: {error.get('msg')}"
    return text[:500].encode("utf-8", "backslashreplace").decode()
