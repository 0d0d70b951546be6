"""What is wrong with an answer. Pure functions: text in, complaints out; none means that the answer may stand."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ValidationError

Source = Literal["model", "popular"]


class Item(BaseModel):
    """One recommended item."""

    item_id: str
    score: float
    rank: int


class Recommended(BaseModel):
    """The answer of POST /recommend, as far as a client needs it."""

    source: Source
    degraded: bool
    items: list[Item]

    @property
    def item_ids(self) -> list[str]:
        """Best first."""
        return [one.item_id for one in self.items]


class Stored(BaseModel):
    """The answer of POST /events."""

    accepted: int
    duplicates: int
    unknown_items: list[str]


@dataclass(frozen=True)
class Asked:
    """What a request lets its answer be."""

    n: int
    catalogue: int
    """Items of the served model."""
    forbidden: frozenset[str] = frozenset()
    """Items that must not come back: seen or excluded ones."""
    source: Source | None = None
    """None: either will do."""


def recommended(body: str | None, asked: Asked) -> tuple[Recommended | None, list[str]]:
    """The answer, or None where it is none; and every complaint. Complaints name no ids, so that equal ones add up.

    A degraded answer is a complaint of its own: what it owes to the history that was not read is not asked of it.
    """
    try:
        answer = Recommended.model_validate_json(body or "")
    except ValidationError:
        return None, ["the answer has not the documented shape"]
    claims = _claims(answer, asked) if answer.degraded else _claims(answer, asked) | _claims_of_history(answer, asked)
    return answer, [complaint for complaint, holds in claims.items() if not holds]


def _claims(answer: Recommended, asked: Asked) -> dict[str, bool]:
    """Each complaint, and whether the claim behind it holds."""
    item_ids, scores = answer.item_ids, [one.score for one in answer.items]
    return {
        "degraded: the stored history was not read": not answer.degraded,
        "an item came twice": len(set(item_ids)) == len(item_ids),
        "a score is higher than the one before it": all(first >= second for first, second in pairwise(scores)),
        "ranks are not 1, 2, 3, ...": [one.rank for one in answer.items] == list(range(1, len(scores) + 1)),
        "more than n items": len(item_ids) <= asked.n,
        "fewer than n items, though more are allowed": len(item_ids) >= _owed(asked),
    }


def _claims_of_history(answer: Recommended, asked: Asked) -> dict[str, bool]:
    return {
        "a seen or excluded item came back": asked.forbidden.isdisjoint(answer.item_ids),
        f"source is not {asked.source}": asked.source in {None, answer.source},
    }


def _owed(asked: Asked) -> int:
    """How many items there must be: forbidden ones may all be in the catalogue, or none of them."""
    return min(asked.n, asked.catalogue - len(asked.forbidden))


def stored(body: str | None, expected: Stored) -> list[str]:
    """Complaints about the answer to an event."""
    try:
        answer = Stored.model_validate_json(body or "")
    except ValidationError:
        return ["the answer has not the documented shape"]
    return [] if answer == expected else [f"not accepted={expected.accepted}, duplicates={expected.duplicates}"]
