"""What may go wrong with a call.

CallFailed
├── NoAnswer           no connection, a broken one, or no answer in time: nobody knows whether it was done
├── UnknownAnswer      a success whose body is not that of the contract: another service, or another major version
└── Rejected           the service says no; `error` is a name of the table in docs/serving.md
    ├── InvalidRequest     400, 408, 413, 422: sent again it would be refused again
    ├── NotAllowed         401, 403: no key, or not the right one
    ├── NotFound           404, 405
    ├── Conflict           409: the model was not activated
    ├── TooManyRequests    429: later
    ├── ServerFailed       500, and whatever has no row here
    ├── Unavailable        503: later
    └── DeadlineExceeded   504: not within `deadline_ms`
"""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from .models import ErrorBody

SHOWN = 200
"""Characters of a body that is shown where it is not the service's (a proxy's page)."""


class CallFailed(Exception):
    """There is no answer to a call."""


class NoAnswer(CallFailed):
    """Nothing came back in time. `__cause__` is httpx's error."""


class UnknownAnswer(CallFailed):
    """What came back is not what the contract says."""


class Rejected(CallFailed):
    """The service says no."""

    def __init__(self, status: int, body: ErrorBody, retry_after: int | None = None) -> None:
        """Take over what was said.

        Args:
            status: of HTTP.
            body: what the service said; `error` and `request_id` are empty where something before it spoke.
            retry_after: seconds, where there is such a header.
        """
        super().__init__(f"{status} {body.error}: {body.message} (request {body.request_id})")
        self.status = status
        self.error = body.error
        self.message = body.message
        self.request_id = body.request_id
        self.retry_after = retry_after


class InvalidRequest(Rejected):
    """Something is wrong with what was sent; the message names the field."""


class NotAllowed(Rejected):
    """The key is missing, or not the right one."""


class NotFound(Rejected):
    """There is no such item, model, path or method."""


class Conflict(Rejected):
    """The model was not activated."""


class TooManyRequests(Rejected):
    """The service is full, or this key asks too often."""


class ServerFailed(Rejected):
    """A defect; the service's log has more under the request id."""


class Unavailable(Rejected):
    """The service is about to end, or cannot reach the histories."""


class DeadlineExceeded(Rejected):
    """There was no answer within `deadline_ms`."""


BY_STATUS: dict[int, type[Rejected]] = {
    400: InvalidRequest, 401: NotAllowed, 403: NotAllowed, 404: NotFound, 405: NotFound, 408: InvalidRequest,
    409: Conflict, 413: InvalidRequest, 422: InvalidRequest, 429: TooManyRequests, 500: ServerFailed,
    503: Unavailable, 504: DeadlineExceeded,
}  # fmt: skip


def rejection(response: httpx.Response) -> Rejected:
    """The error that a response without success tells of."""
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        request_id = response.headers.get("X-Request-Id", "")
        body = ErrorBody(error="", message=response.text[:SHOWN], request_id=request_id)
    stated = response.headers.get("Retry-After", "")
    retry_after = int(stated) if stated.isascii() and stated.isdigit() else None
    return BY_STATUS.get(response.status_code, ServerFailed)(response.status_code, body, retry_after)
