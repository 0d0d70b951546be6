"""A user that checks every list it gets."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Any

from locust import FastHttpUser, between

from loadtest.answers import Asked, Recommended, recommended


def zipf_like(longest: int) -> int:
    """A length of 1 or more: mostly short, rarely very long."""
    return min(int(random.paretovariate(1.1)), longest)


class CheckedUser(FastHttpUser):
    """What every kind of user does."""

    abstract = True
    wait_time = between(0.01, 0.1)
    catalogue = 0

    def on_start(self) -> None:
        """Learn how many items the model knows."""
        with self.client.get("/readyz", catch_response=True) as response:
            if response.status_code == HTTPStatus.OK:
                self.catalogue = int(response.json()["items"])
            else:
                response.failure(f"not ready: {response.status_code}")

    def recommend(self, name: str, asked: Asked, **body: object) -> Recommended | None:
        """Ask for a list and check it; None when there is no list."""
        with self.client.post(
            "/recommend", json={"n": asked.n, **body}, name=f"/recommend, {name}", catch_response=True
        ) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}")
                return None
            answer, complaints = recommended(response.text, asked)
            if complaints:
                response.failure("; ".join(complaints))
            return answer

    def fetch(self, path: str, name: str) -> dict[str, Any]:
        """A GET whose answer is a JSON object; empty when it is none."""
        with self.client.get(path, name=name, catch_response=True) as response:
            if response.status_code != HTTPStatus.OK:
                response.failure(f"status {response.status_code}")
                return {}
            return dict(response.json())
