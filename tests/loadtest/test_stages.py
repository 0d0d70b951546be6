"""Server-Timing, read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.stages import Stages, durations
from service.timings import STAGES, Timings


@given(st.dictionaries(st.sampled_from(STAGES), st.floats(0, 1000), max_size=len(STAGES)))
def test_what_the_service_writes_is_read_back(seconds: dict[str, float]) -> None:
    timings = Timings()
    for stage in STAGES:
        if stage in seconds:
            timings.add(stage, seconds[stage], 0.0)
    found = durations(timings.server_timing())
    assert found.keys() == seconds.keys()
    assert all(abs(found[stage] - 1000 * seconds[stage]) <= 0.0005 + 1e-9 * found[stage] for stage in seconds)


def test_other_parameters_and_metrics_without_a_duration_are_left_out() -> None:
    assert durations('cache;desc="hit", db;desc=x;dur=1.5,  app;dur=2') == {"db": 1.5, "app": 2.0}
    assert durations("") == {}


def test_the_table_has_a_line_per_stage_with_its_percentiles() -> None:
    stages = Stages()
    for milliseconds in range(101):
        stages.note(f"encode;dur={milliseconds}")
    stages.note("rank;dur=7")
    stages.note("")
    head, encode, rank = (line.split() for line in stages.table())
    assert head[0] == "stage,"
    assert encode == ["encode", "101", "50.000", "95.000", "99.000", "100.000"]
    assert rank == ["rank", "1", "7.000", "7.000", "7.000", "7.000"]
