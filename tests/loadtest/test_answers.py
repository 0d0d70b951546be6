"""Every complaint is raised by an answer that earns it, and by no good one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.answers import Asked, Stored, recommended, stored

SHAPE = "the answer has not the documented shape"


def answer(item_ids: list[str], **changed: object) -> dict[str, Any]:
    """A list as the service would give it: scores fall, ranks rise."""
    items = [{"item_id": one, "score": -float(place), "rank": place} for place, one in enumerate(item_ids, start=1)]
    return {"source": "model", "degraded": False, "items": items} | changed


def complaints(body: dict[str, Any], asked: Asked) -> list[str]:
    return recommended(json.dumps(body), asked)[1]


@given(st.lists(st.text(min_size=1), unique=True, max_size=30), st.integers(1, 40), st.integers(0, 10))
def test_a_good_answer_may_stand(item_ids: list[str], n: int, forbidden: int) -> None:
    """The catalogue is what is returned and what is forbidden: no more is owed."""
    given = item_ids[:n]
    asked = Asked(n, len(given) + forbidden, frozenset(f"\0{one}" for one in range(forbidden)) - set(given), "model")
    assert complaints(answer(given), asked) == []


@pytest.mark.parametrize(
    ("body", "asked", "complaint"),
    [
        (answer(["a", "b", "a"]), Asked(3, 9), "an item came twice"),
        (answer(["a", "b"]), Asked(1, 9), "more than n items"),
        (answer(["a", "b"]), Asked(3, 9), "fewer than n items, though more are allowed"),
        (answer(["a", "b"]), Asked(2, 9, frozenset("b")), "a seen or excluded item came back"),
        (answer(["a"], source="popular"), Asked(1, 9, source="model"), "source is not model"),
        (answer(["a"], degraded=True), Asked(1, 9), "degraded: the stored history was not read"),
    ],
)
def test_each_fault_has_its_complaint(body: dict[str, Any], asked: Asked, complaint: str) -> None:
    assert complaints(body, asked) == [complaint]


def test_rising_scores_and_wrong_ranks_are_faults() -> None:
    items = [{"item_id": "a", "score": 1.0, "rank": 1}, {"item_id": "b", "score": 1.0, "rank": 2}]
    assert complaints(answer([], items=items), Asked(2, 9)) == []  # equal scores do not rise
    items[1]["score"] = 1.5
    assert complaints(answer([], items=items), Asked(2, 9)) == ["a score is higher than the one before it"]
    items[1] |= {"score": 0.5, "rank": 1}
    assert complaints(answer([], items=items), Asked(2, 9)) == ["ranks are not 1, 2, 3, ..."]


def test_a_degraded_answer_owes_nothing_to_the_history_that_was_not_read() -> None:
    body = answer(["a"], degraded=True, source="popular")
    asked = Asked(1, 9, frozenset("a"), "model")
    assert complaints(body, asked) == ["degraded: the stored history was not read"]


@pytest.mark.parametrize("body", [None, "", "[]", "{}", '{"source": "guess", "degraded": false, "items": []}'])
def test_what_is_no_answer_is_told(body: str | None) -> None:
    assert recommended(body, Asked(1, 1)) == (None, [SHAPE])
    assert stored(body, Stored(accepted=1, duplicates=0, unknown_items=[])) == [SHAPE]


def test_an_event_must_be_counted_as_expected() -> None:
    expected = Stored(accepted=1, duplicates=0, unknown_items=[])
    assert stored(expected.model_dump_json(), expected) == []
    for wrong in ({"accepted": 0}, {"duplicates": 1}, {"unknown_items": ["x"]}):
        assert stored(json.dumps(expected.model_dump() | wrong), expected) == ["not accepted=1, duplicates=0"]
