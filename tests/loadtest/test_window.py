"""Parts of a run as one."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest.open_loop import Seen
from loadtest.window import Window


def window(rate: float, seconds: list[float], lag: float, refusals: list[float]) -> Window:
    statuses = Counter({"200": len(seconds), "429": len(refusals)})
    return Window(rate, 2.0, Seen(seconds=seconds, lags=[lag] * 10, dropped=1), statuses, refusals)


def test_several_add_up_and_are_as_late_as_their_latest() -> None:
    whole = Window.of_all([window(10, [0.1, 0.2], 0.001, [0.01]), window(30, [0.3], 0.002, [0.02, 0.03])])
    assert (whole.rate, whole.seconds, whole.per_second) == (20, 4.0, 0.75)
    assert whole.statuses == {"200": 3, "429": 3}
    told = whole.told()
    assert told["dropped_by_the_loader"] == 2
    assert (told["ms"]["max"], told["refusal_ms"]["max"]) == (300.0, 30.0)
    assert told["void"] is False
    assert Window.of_all([whole, window(1, [], 0.5, [])]).is_void


def test_without_an_answer_there_is_no_p99() -> None:
    assert window(1, [], 0, []).p99 == 0.0
    assert window(1, [0.5], 0, []).p99 == pytest.approx(500)
