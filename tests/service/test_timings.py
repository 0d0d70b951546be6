import pytest

from service.timings import Timings


def test_one_value_is_told_three_ways() -> None:
    timings = Timings()
    timings.add("encode", 0.001)
    timings.add("encode", 0.001)
    timings.add("rank", 0.0005)
    assert timings.seconds == {"encode": 0.002, "rank": 0.0005}
    assert timings.server_timing() == "encode;dur=2.000, rank;dur=0.500"
    assert timings.log_fields() == {"encode_ms": 2.0, "rank_ms": 0.5}


def test_a_stage_that_fails_is_counted_too() -> None:
    timings = Timings()
    with pytest.raises(KeyError), timings.measure("history"):
        raise KeyError
    assert timings.seconds["history"] >= 0
