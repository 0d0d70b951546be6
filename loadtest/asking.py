"""Recommendations asked of a service from outside, and what became of them."""

from __future__ import annotations

import random
from collections import Counter
from itertools import cycle
from time import perf_counter

from loadtest.connections import Connections

POOL = 500
LONGEST = 50
N = 20
DIFFERENT = 500
"""Requests that are drawn beforehand: drawing one takes the loader longer than sending it."""


class Asker:
    """Asks with histories of its own drawing and notes statuses and, of refusals, how long they took."""

    def __init__(self, connections: Connections, item_ids: list[str]) -> None:
        self._connections = connections
        draw = random.Random(0)
        lengths = (min(int(draw.paretovariate(1.1)), LONGEST, len(item_ids)) for _ in range(DIFFERENT))
        bodies = ({"history": draw.sample(item_ids, length), "n": N} for length in lengths)
        self._requests = cycle([connections.request("/recommend", body) for body in bodies])
        self.statuses: Counter[str] = Counter()
        self.refusal_seconds: list[float] = []
        """From sent to answered."""

    @classmethod
    async def meet(cls, connections: Connections) -> Asker:
        """Histories are drawn from what the service thinks popular.

        Raises:
            RuntimeError: it does not answer, or does not recommend anything.
        """
        try:
            status, answer = await connections.post("/recommend", {"n": POOL})
        except OSError as error:
            raise RuntimeError(f"the service cannot be reached: {error}") from error
        if status != 200 or not answer["items"]:
            raise RuntimeError(f"the service does not recommend anything: {status} {answer}")
        return cls(connections, [item["item_id"] for item in answer["items"]])

    def forget(self) -> None:
        """Begin to count anew."""
        self.statuses = Counter()
        self.refusal_seconds = []

    async def ask(self) -> str | None:
        """One recommendation; None when it is there, else why not."""
        started = perf_counter()
        try:
            status, _ = await self._connections.send(next(self._requests))
        except OSError as error:
            self.statuses[type(error).__name__] += 1
            return type(error).__name__
        self.statuses[str(status)] += 1
        if status == 200:
            return None
        self.refusal_seconds.append(perf_counter() - started)
        return str(status)
