import pytest

from service.timings import STAGES, Timings


def test_one_value_is_told_three_ways() -> None:
    timings = Timings()
    timings.add("encode", 0.001, 5.0)
    timings.add("encode", 0.001, 5.5)
    timings.add("rank", 0.0005, 5.6)
    assert timings.seconds == {"encode": 0.002, "rank": 0.0005}
    assert timings.server_timing() == "encode;dur=2.000, rank;dur=0.500"
    assert timings.log_fields() == {"encode_ms": 2.0, "rank_ms": 0.5}
    assert timings.spans == [("encode", 5.0, 0.002), ("rank", 5.6, 0.0005)]


def test_a_stage_that_fails_is_counted_too() -> None:
    timings = Timings()
    with pytest.raises(KeyError), timings.measure("history"):
        raise KeyError
    assert timings.seconds["history"] >= 0


def test_stages_follow_each_other_and_take_as_long_as_all_of_it() -> None:
    timings, other = Timings(), Timings()
    with timings.measure("encode"):
        pass
    with Timings.measure_all([timings, other], "retrieve"):
        pass
    (encode, began, took), (retrieve, later, _) = timings.spans
    assert (encode, retrieve) == ("encode", "retrieve")
    assert began + took <= later
    assert other.spans == timings.spans[1:]


def test_they_can_be_told_while_the_model_is_still_at_work() -> None:
    """A request whose deadline passes is answered, counted and logged while the model's thread goes on with it."""
    timings = Timings()
    timings.add(STAGES[0], 0.001, 0.0)
    for stage, later in zip(timings.seconds, STAGES[1:], strict=False):
        timings.add(later, 0.001, 0.0)
        assert stage == STAGES[0]
    assert list(timings.seconds) == list(STAGES[:2])
