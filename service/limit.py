"""How many requests may be under way: all that there are permits for, and fewer while a queue stands.

A queue that comes and goes absorbs a burst. One that stands only makes everybody late: the model is as busy with it as
without. It shows in the wait of whoever waited least of late (the idea of CoDel: Nichols and Jacobson, ACM Queue 2012):
somebody always finds a queue that comes and goes short, and nobody one that stands.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import perf_counter

INTERVAL = 0.1
"""Seconds over which the least wait is taken: many runs of the model, and a moment for a caller."""
QUIET = 1.0
"""Seconds without any wait after which nothing is left of an overload."""
FEWEST = 8
"""Enough that the model never waits for the event loop."""
QUICKEST = 0.5
"""What is left of the limit after one interval, at least: a wait has causes other than the queue, such as a stall."""


class Limit:
    """From FEWEST to `most`; or `most`, where that is fewer."""

    def __init__(self, most: int, bearable: float, clock: Callable[[], float] = perf_counter) -> None:
        """Begin with all.

        Args:
            most: permits.
            bearable: seconds; when everybody waits longer, a queue stands.
            clock: seconds.
        """
        self.most = most
        self._now = most
        self._bearable = bearable
        self._clock = clock
        self._least = inf
        self._heard = self._due = clock() + INTERVAL

    def waited(self, seconds: float) -> None:
        """Somebody waited so long for the model; not counted is the run that was under way, which is no queue. From any
        thread."""
        self._least = min(self._least, seconds)

    @property
    def now(self) -> int:
        """As of the last interval."""
        now = self._clock()
        if now >= self._due:
            self._due = now + INTERVAL
            self._look(now)
        return self._now

    def _look(self, now: float) -> None:
        least, self._least = self._least, inf
        if least < inf:
            self._heard = now
            self._now = min(self.most, max(FEWEST, self._wanted(least)))
        elif now - self._heard > QUIET:
            self._now = self.most

    def _wanted(self, least: float) -> int:
        if least > self._bearable:
            return int(self._now * max(QUICKEST, self._bearable / least))
        if least < self._bearable / 2:
            return self._now + max(1, self._now // 8)
        return self._now
