"""Asking a service from outside, as its callers do."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from urllib.parse import quote

from benchmarks.containers.truth import DEGRADED, N, Truth

PATIENCE_SECONDS = 180
PAUSE_SECONDS = 0.05
RIGHT_IN_A_ROW = 40
"""So many right answers in a row, and it is over."""
TRIES = 10
Body = dict[str, object]


@dataclass(frozen=True)
class Service:
    """Where it is published on this machine."""

    port: int

    def send(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, Body]:
        """Status and JSON of an answer, over a connection of its own.

        Raises:
            OSError, http.client.HTTPException: nobody answers.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content or b"{}")
        finally:
            connection.close()

    def until_ready(self) -> float:
        """Seconds until `/readyz` is a 200.

        Raises:
            TimeoutError: it is none for too long.
        """
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_SECONDS:
            try:
                if self.send("GET", "/readyz")[0] == http.client.OK:
                    return round(time.monotonic() - began, 1)
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"not ready after {PATIENCE_SECONDS} s")

    def stored(self, user: str) -> list[str]:
        """The history of a user, oldest first."""
        items = self.send("GET", f"/users/{quote(user, safe='')}/history")[1]["items"]
        assert isinstance(items, list)
        return [one["item_id"] for one in items]

    def complaint(self, truth: Truth, user: str) -> str | None:
        """Ask for a user; what is wrong with the answer."""
        try:
            return truth.complaint(user, *self.send("POST", "/recommend", {"user_id": user, "n": N}))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return type(error).__name__

    def asker(self, truth: Truth) -> Callable[[], str | None]:
        """Asks for one user after the other."""
        users = cycle(truth.histories)
        return lambda: self.complaint(truth, next(users))

    def wrong_lists(self, truth: Truth) -> list[str]:
        """What is wrong with the lists and histories of all users. Who gets a degraded list asks again: where the
        machine is busy a healthy Redis may be late."""
        complaints = []
        for user, history in truth.histories.items():
            tries = (self.complaint(truth, user) for _ in range(TRIES))
            if (complaint := next((one for one in tries if one != DEGRADED), DEGRADED)) is not None:
                complaints.append(complaint)
            if self.stored(user) != history:
                complaints.append("not the history of the file")
        return complaints


@dataclass(frozen=True)
class Felt:
    """What one caller felt who asked again and again."""

    asked: int
    complaints: dict[str, int]
    seconds: float
    """From the last right answer before the first complaint to the first right one after the last; 0 without any."""


@dataclass
class Watch:
    """Asks twenty times a second, over a new connection each time, while the `with` lasts."""

    ask: Callable[[], str | None]
    tolerated: frozenset[str] = frozenset()
    """Complaints that are counted, and are an answer all the same."""
    _seen: list[tuple[float, str | None]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.until_right()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            complaint = self.ask()
            self._seen.append((time.monotonic(), complaint))

    def until_right(self) -> None:
        """Until it was answered rightly for some time.

        Raises:
            TimeoutError: it is not for too long.
        """
        began, first = time.monotonic(), len(self._seen) + 1  # one may be under way since before
        while time.monotonic() - began < PATIENCE_SECONDS:
            last = self._seen[first:][-RIGHT_IN_A_ROW:]
            if len(last) == RIGHT_IN_A_ROW and all(self._stands(complaint) for _, complaint in last):
                return
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"no right answers after {PATIENCE_SECONDS} s; the last complaints: {self._seen[-3:]}")

    def _stands(self, complaint: str | None) -> bool:
        return complaint is None or complaint in self.tolerated

    def felt(self) -> Felt:
        """All of it."""
        return felt(list(self._seen), self.tolerated)


def felt(seen: list[tuple[float, str | None]], tolerated: frozenset[str] = frozenset()) -> Felt:
    """What was felt, of moments in seconds and what was wrong at each; the first and the last are right."""
    kinds = Counter(complaint for _, complaint in seen if complaint is not None)
    bad = [k for k, (_, complaint) in enumerate(seen) if complaint is not None and complaint not in tolerated]
    seconds = seen[bad[-1] + 1][0] - seen[bad[0] - 1][0] if bad else 0.0
    return Felt(len(seen), dict(sorted(kinds.items())), round(seconds, 2))
