"""A refusal whose bytes are made once."""

from __future__ import annotations

from http import HTTPStatus

from service.errors import ServiceError, answer, row_of
from service.request_id import Headers

_PLACE = "0" * 32


class Refusal:
    """What `service.errors.answer` says to an error, made but for the id of the request."""

    def __init__(self, error: ServiceError) -> None:
        """Every request that is refused with it is told the same words."""
        self.row = row_of(error)
        response = answer(error, _PLACE)
        before, after = bytes(response.body).split(_PLACE.encode())
        fixed = b"".join(_line(*header) for header in response.raw_headers if header[0] != b"content-length")
        status = HTTPStatus(response.status_code)
        self._start = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + fixed
        self._before, self._after = before, after
        self._length = len(before) + len(after)

    def written(self, request_id: bytes, more: Headers) -> bytes:
        """The whole response, with more headers in it; the connection stays open."""
        head = b"".join([_line(*header) for header in more])
        return b"%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b%b%b" % (
            self._start,
            request_id,
            self._length + len(request_id),
            head,
            self._before,
            request_id,
            self._after,
        )


def _line(name: bytes, value: bytes) -> bytes:
    return b"%b: %b\r\n" % (name, value)
