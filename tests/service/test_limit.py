"""The limit under queues whose waits can be worked out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.limit import FEWEST, INTERVAL, QUIET, Limit

MOST, BEARABLE = 64, 0.005


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A limit whose time passes as the test says."""

    def __init__(self, most: int = MOST) -> None:
        self.clock = Clock()
        self.limit = Limit(most, BEARABLE, self.clock)

    def after(self, *waits: float, seconds: float = INTERVAL) -> int:
        """The limit when so much time has passed, in which these waits were seen."""
        for wait in waits:
            self.limit.waited(wait)
        self.clock.now += seconds
        return self.limit.now


def test_it_begins_with_all_and_one_who_does_not_wait_is_enough_to_keep_them() -> None:
    watched = Watched()
    assert watched.limit.now == MOST
    assert [watched.after(0.2, 0.0, 0.3) for _ in range(5)] == [MOST] * 5


def test_what_everybody_waits_for_halves_it_at_most_until_few_are_left() -> None:
    watched = Watched()
    assert [watched.after(1.0, 2.0) for _ in range(5)] == [32, 16, FEWEST, FEWEST, FEWEST]
    assert watched.after(BEARABLE * 0.8) == FEWEST  # near enough


def test_it_changes_once_in_an_interval() -> None:
    watched = Watched()
    assert [watched.after(1.0, seconds=INTERVAL / 4) for _ in range(5)] == [64, 64, 64, 32, 32]


@pytest.mark.parametrize("waits", [[0.0], []])
def test_when_the_queue_is_gone_all_come_back(waits: list[float]) -> None:
    watched = Watched()
    for _ in range(5):
        watched.after(1.0)
    for _ in range(round(20 * QUIET / INTERVAL)):
        watched.after(*waits)
    assert watched.limit.now == MOST


def test_a_long_run_without_news_is_no_quiet() -> None:
    watched = Watched()
    assert watched.after(1.0) == 32
    assert watched.after(seconds=QUIET / 2) == 32
    assert watched.after(seconds=QUIET) == MOST


def test_fewer_permits_than_the_fewest_stay_as_they_are() -> None:
    assert Watched(3).after(1.0) == 3


@given(run=st.floats(0.0002, 0.05), most=st.integers(1, 200))
def test_under_a_crowd_the_wait_comes_to_what_is_bearable(run: float, most: int) -> None:
    """As many under way as are let in, one run after the other: the last waits for all before it, but for one that is
    under way and one that is its own."""
    watched = Watched(most)
    for _ in range(100):
        watched.after(max(0, watched.limit.now - 2) * run)
    settled = {watched.after(max(0, watched.limit.now - 2) * run) for _ in range(30)}
    allowed = {most, FEWEST}
    assert all(one in allowed or (one - 3) * run <= BEARABLE for one in settled)
    assert min(settled) >= min(most, max(FEWEST, int(BEARABLE / 2 / run)))
