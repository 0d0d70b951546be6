"""Recommendations asked of a service from outside, and what became of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from time import perf_counter

from loadtest.connections import Connections

POOL = 500
LONGEST = 50
N = 20


class Asker:
    """Asks with histories of its own drawing and notes statuses and, of refusals, how long they took."""

    def __init__(self, connections: Connections, item_ids: list[str]) -> None:
        self._connections = connections
        self._draw = random.Random(0)
        self._item_ids = item_ids
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
        length = min(int(self._draw.paretovariate(1.1)), LONGEST, len(self._item_ids))
        body = {"history": self._draw.sample(self._item_ids, length), "n": N}
        started = perf_counter()
        try:
            status, answer = await self._connections.post("/recommend", body)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
            return type(error).__name__
        self.statuses[str(status)] += 1
        if status == 200:
            return None
        self.refusal_seconds.append(perf_counter() - started)
        return f"{status} {answer.get('error')}"
