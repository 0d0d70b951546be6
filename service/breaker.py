"""A circuit breaker: stop asking what keeps failing, and try again with one request after a while."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Breaker:
    """Closed until `failures` in a row; then open for `open_seconds`; then one trial decides.

    Used from one event loop, so it needs no lock.
    """

    def __init__(self, failures: int, open_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._limit = failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._failed = 0
        self._retry_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last `failures` calls failed and none has succeeded since."""
        return self._failed >= self._limit

    def allows(self) -> bool:
        """Whether to call now. When the pause is over the first to ask gets the trial, and the others wait on."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._open_seconds
        return True

    def succeeded(self) -> None:
        """A call got its answer."""
        self._failed = 0

    def failed(self) -> None:
        """A call got none."""
        self._failed += 1
        if self.is_open:
            self._retry_at = self._clock() + self._open_seconds
