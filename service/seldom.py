"""What a library says over and over is told once in a while."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

EVERY_SECONDS = 60.0


class Seldom(logging.Filter):
    """Lets a message of the loggers under `name` pass once a minute, whatever values stand in it; all others always.

    For those who complain each time that something fails which is tried all the time.
    """

    def __init__(self, name: str, now: Callable[[], float] = monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._told: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it passes."""
        if not super().filter(record):  # somebody else's
            return True
        what, now = (record.name, record.levelno, str(record.msg)), self._now()
        if now - self._told.get(what, -EVERY_SECONDS) < EVERY_SECONDS:
            return False
        self._told[what] = now
        return True
