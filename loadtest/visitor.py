"""The user that looks."""

from __future__ import annotations

import random
from http import HTTPStatus
from urllib.parse import quote, urlencode
from uuid import uuid4

from locust import task

from loadtest.answers import Asked, Source
from loadtest.checked_user import CheckedUser, zipf_like

KNOWN_USERS = 5
"""Stored users whose histories a visitor learns, to check answers against them."""
POOL = 100
"""Popular items that explicit histories are made of."""
LONGEST_HISTORY = 200


class Visitor(CheckedUser):
    """Looks and does not click."""

    weight = 4

    def on_start(self) -> None:
        """Learn of items and of stored users, as a front end would have them at hand."""
        super().on_start()
        popular = self.recommend("popular", Asked(POOL, self.catalogue, source="popular"))
        self.items = popular.item_ids if popular else []
        self.histories = {user: self._history_of(user) for user in self._stored_users()[:KNOWN_USERS]}

    def _stored_users(self) -> list[str]:
        """Users that have a history; none where the console is off. Clickers come and go: not them."""
        with self.client.get("/console/users", catch_response=True) as response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                response.success()
                return []
            users = response.json()["users"] if response.status_code == HTTPStatus.OK else []
            return [user for user in users if not user.startswith("load-")]

    def _history_of(self, user: str) -> frozenset[str]:
        told = self.fetch(f"/users/{quote(user, safe='')}/history", "/users/ID/history")
        return frozenset(one["item_id"] for one in told.get("items", []))

    @task(10)
    def of_a_stored_user(self) -> None:
        """The main case: the service has the history."""
        if self.histories:
            user, seen = random.choice(list(self.histories.items()))
            n = random.choice((5, 10, 10, 10, 20, 50))
            self.recommend("stored user", Asked(n, self.catalogue, seen), user_id=user)

    @task(2)
    def of_a_stranger(self) -> None:
        """An id that nobody has heard of gets what is popular."""
        self.recommend("unknown user", Asked(10, self.catalogue, source="popular"), user_id=f"nobody-{uuid4().hex}")

    @task(3)
    def of_an_explicit_history(self) -> None:
        """A caller that keeps histories itself; repeats and ids that the model does not know happen."""
        history = random.choices(self.items, k=zipf_like(LONGEST_HISTORY)) if self.items else []
        seen = frozenset(history)
        source: Source = "model" if history else "popular"
        unknown = [f"unknown-{uuid4().hex}"] * (random.random() < 0.2)
        self.recommend("explicit history", Asked(10, self.catalogue, seen, source), history=[*unknown, *history])

    @task(1)
    def with_context_and_exclusions(self) -> None:
        """A session on top of the history, and a shelf that is on the page already."""
        if len(self.items) > 1:
            session, shelf = random.choice(self.items), random.sample(self.items, k=min(10, len(self.items) // 2))
            asked = Asked(10, self.catalogue, frozenset([session, *shelf]), "model")
            self.recommend("context and exclude", asked, context_items=[session], exclude=shelf)

    @task(1)
    def cards(self) -> None:
        """Titles of some items."""
        ids = random.sample(self.items, k=min(10, len(self.items)))
        if not ids:
            return
        path = f"/items?{urlencode([('ids', one) for one in ids])}"
        with self.client.get(path, name="/items", catch_response=True) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}")
            elif [one["item_id"] for one in response.json()["items"]] != ids:
                response.failure("not the cards that were asked for")
