"""What is right: lists worked out here, from bundles and interactions copied out of the volume."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from service.bundle import ItemCatalog
from service.models.opening import open_model
from service.recommender import Query, Recommendation
from service.settings import Settings
from service.timings import Timings

N = 10
CLOSE = 1e-4
"""Scores may differ in their last digits."""
DEGRADED = "degraded"
"""The complaint about a list that was made without the stored history."""
Answer = list[tuple[str, float]]


@dataclass(frozen=True)
class Truth:
    """Of some users."""

    histories: dict[str, list[str]]
    """The items that are stored of each, oldest first."""
    lists: dict[str, dict[str, Answer]]
    """By version, what each user is to be recommended."""

    @property
    def first(self) -> str:
        """The version of the first bundle."""
        return next(iter(self.lists))

    @property
    def second(self) -> str:
        """The version of the second."""
        return list(self.lists)[1]

    def complaint(self, user: str, status: int, body: dict[str, object]) -> str | None:
        """What is wrong with the answer to POST /recommend of a user; None: it is what its version answers."""
        if status != 200:
            return f"{status} {body.get('error')}"
        if body["degraded"]:
            return DEGRADED
        version, items = str(body["model_version"]), body["items"]
        assert isinstance(items, list)
        if version not in self.lists:
            return "by another model"
        right = self.lists[version][user]
        same = [one["item_id"] for one in items] == [item for item, _ in right] and all(
            abs(one["score"] - score) <= CLOSE * max(1, abs(score))
            for one, (_, score) in zip(items, right, strict=True)
        )
        return None if same else "not the list of its version"


def truth_of(bundles: list[Path], interactions: Path, users: int) -> Truth:
    """Of the first users of a file, by each of some bundles of one catalogue."""
    models = [open_model(Settings(bundle=folder)) for folder in bundles]
    histories = _histories(interactions, models[0].bundle.catalog, users)
    lists = {
        model.version: {
            user: _answer(model.recommender.recommend(Query(history, N), Timings()))
            for user, history in histories.items()
        }
        for model in models
    }
    return Truth(histories, lists)


def _answer(found: Recommendation) -> Answer:
    return list(zip(found.item_ids, found.scores, strict=True))


def _histories(interactions: Path, catalog: ItemCatalog, users: int) -> dict[str, list[str]]:
    """The newest known items of the first users by name, oldest first; of equal times as the file has them."""
    kept = Settings().history_kept
    rows: dict[str, list[tuple[float, str]]] = {}
    with gzip.open(interactions, "rt", newline="") as file:
        for row in csv.DictReader(file):
            if catalog.index(row["item_id"]) is not None:
                rows.setdefault(row["user_id"], []).append((float(row["timestamp"]), row["item_id"]))
    return {user: [item for _, item in sorted(rows[user], key=itemgetter(0))][-kept:] for user in sorted(rows)[:users]}
