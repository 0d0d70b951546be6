"""The user that clicks."""

from __future__ import annotations

import random
from http import HTTPStatus
from uuid import uuid4

from locust import task

from loadtest.answers import Asked, Source, Stored, stored
from loadtest.checked_user import CheckedUser, zipf_like

LONGEST_SESSION = 50
"""Clicks: well under the 100 items that the service keeps of a user by default."""


class Clicker(CheckedUser):
    """Clicks what is recommended, and must not be shown it again: reads its own writes. Leaves nothing behind."""

    weight = 1

    def on_start(self) -> None:
        """Begin the first session."""
        super().on_start()
        self._begin()

    def on_stop(self) -> None:
        """Leave nothing behind."""
        self._erase()

    def _begin(self) -> None:
        self.user = f"load-{uuid4().hex}"
        self.clicked: list[str] = []
        self.clicks = max(1, min(zipf_like(LONGEST_SESSION), self.catalogue // 2))

    @task(20)
    def click(self) -> None:
        """Look, click, look again."""
        shown = self._look("before a click")
        if not shown:
            return
        item = random.choice(shown)
        event = {"user_id": self.user, "item_id": item, "event_id": uuid4().hex}
        if not self._send("/events", event, Stored(accepted=1, duplicates=0, unknown_items=[])):
            self._erase()  # a refused event may be stored nevertheless: nothing more can be said of this user
            self._begin()
            return
        self.clicked.append(item)
        if random.random() < 0.2:
            self._send("/events, repeated", event, Stored(accepted=0, duplicates=1, unknown_items=[]))
        self._look("after a click")
        if len(self.clicked) >= self.clicks:
            self._end()

    @task(1)
    def click_on_an_unknown_item(self) -> None:
        """It is named in the answer, and not stored."""
        item = f"unknown-{uuid4().hex}"
        expected = Stored(accepted=0, duplicates=0, unknown_items=[item])
        self._send("/events, unknown item", {"user_id": self.user, "item_id": item}, expected)

    def _look(self, when: str) -> list[str]:
        source: Source = "model" if self.clicked else "popular"
        asked = Asked(10, self.catalogue, frozenset(self.clicked), source)
        answer = self.recommend(when, asked, user_id=self.user)
        return answer.item_ids if answer else []

    def _send(self, name: str, event: dict[str, str], expected: Stored) -> bool:
        with self.client.post("/events", json={"events": [event]}, name=name, catch_response=True) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}")
                return False
            complaints = stored(response.text, expected)
            if complaints:
                response.failure("; ".join(complaints))
            return not complaints

    def _end(self) -> None:
        """The stored history must be the clicks in their order; then it is erased."""
        with self.client.get(f"/users/{self.user}/history", name="/users/ID/history", catch_response=True) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}")
            elif [one["item_id"] for one in response.json()["items"]] != self.clicked:
                response.failure("the stored history is not what was clicked")
        self._erase()
        self._begin()

    def _erase(self) -> None:
        with self.client.delete(
            f"/users/{self.user}/history", name="/users/ID/history", catch_response=True
        ) as response:
            if response.status_code != HTTPStatus.NO_CONTENT:
                response.failure(f"status {response.status_code}")
