from hypothesis import given
from hypothesis import strategies as st

from service.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_lets_one_trial_through() -> None:
    clock = Clock()
    breaker = Breaker(3, 1.0, clock)
    for _ in range(2):
        breaker.failed()
        assert breaker.allows()
    breaker.failed()
    assert breaker.is_open
    assert not breaker.allows()
    clock.now += 1
    assert [breaker.allows() for _ in range(5)] == [True, False, False, False, False]
    breaker.failed()
    clock.now += 0.9
    assert not breaker.allows()
    clock.now += 0.2
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(5)] == [True] * 5


@given(st.lists(st.booleans()))
def test_a_success_between_forgets_the_failures(outcomes: list[bool]) -> None:
    breaker, in_a_row = Breaker(3, 1.0, Clock()), 0
    for good in outcomes:
        in_a_row = 0 if good else in_a_row + 1
        breaker.succeeded() if good else breaker.failed()
        assert breaker.is_open == (in_a_row >= 3)
