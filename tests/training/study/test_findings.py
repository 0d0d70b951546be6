import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.study.findings import FindingInvalid, Findings, RanksByProtocol, RunFinding

RANKS: RanksByProtocol = {"unmasked": np.array([1.0, 5.5, math.inf]), "masked": np.array([1.0, 4.5, math.inf])}
RUN = RunFinding("sasrec", "A7", "both", 0, RANKS, 0.1, (), 1.0, 10, weights=np.array([0.25, 0.75], np.float32))
FINDINGS = Findings(
    "toys",
    "leave-one-out",
    ("t1", "t2"),
    (RUN,),
    np.array([3, 4, 5]),
    np.array([1, 2, 3]),
    {"t1": RANKS, "C6": RANKS},
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": ""}, "student"),
        ({"validation": math.nan}, "A7 seed 0: validation is nan"),
        ({"seconds": -1.0}, "seconds is -1"),
        ({"parameters": -1}, "parameters"),
        ({"ranks": {"unmasked": RANKS["unmasked"]}}, "ranks of"),
        ({"ranks": {**RANKS, "masked": np.array([0.0, 1, 2])}}, "masked ranks must be"),
        ({"ranks": {**RANKS, "masked": np.array([math.nan, 1, 2])}}, "masked ranks must be"),
        ({"ranks": {**RANKS, "masked": np.array([1.0])}}, "different users"),
        ({"weights": np.ones((1, 2))}, "weights"),
        ({"weights": np.array([-0.5, 1.5])}, "weights"),
        ({"weight_sample": np.array([[math.nan, 1]])}, "weight_sample"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FindingInvalid, match=message):
        replace(RUN, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"history_length": np.array([], dtype=np.int64)}, "no test user"),
        ({"history_length": np.array([3, 4])}, "target_popularity: 3 users"),
        ({"target_popularity": np.array([3, 4])}, "target_popularity: 2 users, history_length has 3"),
        ({"references": {"t1": {name: ranks[:2] for name, ranks in RANKS.items()}}}, "reference t1: 2 users"),
        ({"runs": (RUN, RUN)}, "sasrec A7 seed 0 stands twice"),
        ({"references": {"A7": RANKS}}, "rows and references: A7 stands twice"),
        ({"teachers": ("t1", "t1")}, "t1 stands twice"),
        ({"teachers": ("t1",)}, "weights of 2, there are 1 teachers"),
    ],
)
def test_findings_that_contradict_each_other_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FindingInvalid, match=message):
        replace(FINDINGS, **change)


def test_what_was_measured_cannot_be_changed() -> None:
    for array in (RUN.ranks["masked"], RUN.weights, FINDINGS.history_length, FINDINGS.references["C6"]["masked"]):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2


def test_rows_come_in_the_order_people_count() -> None:
    runs = [replace(RUN, row=row, seed=seed) for row in ("C3", "A10", "A2", "A0") for seed in (2, 0)]
    found = replace(FINDINGS, runs=tuple(runs)).of("sasrec")
    assert list(found) == ["A0", "A2", "A10", "C3"]
    assert [one.seed for one in found["A2"]] == [0, 2]


def test_references_have_kinds() -> None:
    assert [FINDINGS.kind(name) for name in ("t1", "C6", "item-kNN")] == ["teacher", "ensemble", "floor"]
    assert FINDINGS.students == ("sasrec",)
    assert FINDINGS.of("nobody") == {}
