"""Every criterion made to hold, to fail and to be not measurable."""

import pytest

from training.study.comparisons import Difference
from training.study.findings import Findings
from training.study.groups import GroupGain
from training.study.report import Report
from training.study.significance import Estimate, Share
from training.study.verdicts import Evidence, Verdict, p_value, sentence, signed, verdicts

SURE, UNSURE, LOSS = (0.01, 0.002, 0.018), (0.004, -0.003, 0.011), (-0.01, -0.018, -0.002)
GOOD = {("A7", "A4"): SURE, ("A4", "A2"): UNSURE, ("A1", "A0"): UNSURE, ("A2", "A0"): SURE, ("A7", "A0"): SURE}
GOOD |= {("A7", control): SURE for control in ("C1", "C2", "C3", "C4", "C5")} | {("C3", "A0"): LOSS}
GOOD |= {
    ("C6", "A0"): SURE,
    ("C7", "C10"): SURE,
    ("C7", "A0"): UNSURE,
    ("C9", "A0"): UNSURE,
    ("A7", "item-kNN"): SURE,
    ("A7", "last-item Markov"): SURE,
}
PLACES = (
    "something to teach",
    "more",
    "at least",
    "single",
    "nowhere",
    "controls",
    "shuffled",
    "broken",
    "gated",
    "weights bear it",
    "floors",
    "closed",
    "published",
)


def estimate(figures: tuple[float, float, float]) -> Estimate:
    return Estimate(estimate=figures[0], low=figures[1], high=figures[2], p=0.02)


def differences(pairs: dict[tuple[str, str], tuple[float, float, float]]) -> tuple[Difference, ...]:
    more = {"metric": "ndcg@10", "protocol": "unmasked", "holm_p": 0.04}
    return tuple(
        Difference.model_validate({**estimate(one).model_dump(), **more, "left": left, "right": right})
        for (left, right), one in pairs.items()
    )


def group(figures: tuple[float, float, float] | None, users: int = 100) -> GroupGain:
    return GroupGain(
        grouping="target", group="cold 0–5", users=users, row="A7", protocol="unmasked", base=0.1,
        gain=None if figures is None else estimate(figures),
    )  # fmt: skip


def judged(**change: object) -> dict[str, Verdict]:
    values: dict[str, object] = {
        "student": "sasrec",
        "protocol": "unmasked",
        "differences": differences(GOOD),
        "groups": (group(UNSURE),),
        "closed": Share(share=0.7, low=0.5, high=0.9),
        "base": 0.95,
        "published": 1.0,
    }
    found = verdicts(Evidence(**(values | change)))  # type: ignore[arg-type]
    return dict(zip(PLACES, found, strict=False))


def with_pair(pair: tuple[str, str], figures: tuple[float, float, float] | None) -> dict[str, Verdict]:
    pairs = {**GOOD, pair: figures}
    return judged(differences=differences({name: one for name, one in pairs.items() if one is not None}))


def test_all_hold_where_all_is_well() -> None:
    assert [name for name, verdict in judged().items() if verdict.holds is not True] == []
    assert tuple(judged()) == PLACES


@pytest.mark.parametrize(
    ("name", "pair", "figures"),
    [
        ("something to teach", ("C6", "A0"), UNSURE),
        ("more", ("A7", "A4"), UNSURE),
        ("more", ("A7", "A4"), LOSS),
        ("at least", ("A4", "A2"), LOSS),
        ("single", ("A2", "A0"), (0.005, -0.001, 0.011)),
        ("nowhere", ("A7", "A0"), (-0.0001, -0.01, 0.01)),
        ("controls", ("A7", "C4"), UNSURE),
        ("shuffled", ("C3", "A0"), SURE),
        ("broken", ("C7", "A0"), LOSS),
        ("gated", ("C9", "A0"), LOSS),
        ("weights bear it", ("C7", "C10"), UNSURE),
        ("floors", ("A7", "last-item Markov"), UNSURE),
    ],
)
def test_each_fails_for_its_own_reason(name: str, pair: tuple[str, str], figures: tuple[float, float, float]) -> None:
    found = with_pair(pair, figures)
    assert found[name].holds is False
    assert sentence(estimate(figures)) in found[name].figures
    assert [other for other, verdict in found.items() if not verdict.holds] == [name]


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("something to teach", ("C6", "A0")),
        ("more", ("A7", "A4")),
        ("at least", ("A4", "A2")),
        ("nowhere", ("A7", "A0")),
        ("controls", ("A7", "C2")),
        ("shuffled", ("C3", "A0")),
        ("broken", ("C7", "A0")),
        ("gated", ("C9", "A0")),
        ("weights bear it", ("C7", "C10")),
    ],
)
def test_what_is_not_measured_neither_holds_nor_fails(name: str, pair: tuple[str, str]) -> None:
    found = with_pair(pair, None)
    assert found[name].holds is None
    assert "not measured" in found[name].figures


def test_floors_are_cleared_when_all_are_measured() -> None:
    assert with_pair(("A7", "item-kNN"), None)["floors"].holds is None


def test_nothing_measured_at_all() -> None:
    found = judged(differences=(), groups=(), closed=None, base=None, published=None)
    assert {verdict.holds for verdict in found.values()} == {None}


def test_one_control_that_is_not_beaten_decides_though_others_are_missing() -> None:
    found = judged(differences=differences({("A7", "C5"): UNSURE, ("A7", "C1"): SURE}))
    assert found["controls"].holds is False
    assert "not measured: C2, C3, C4" in found["controls"].figures


def test_the_best_single_teacher_is_judged_and_not_another() -> None:
    assert "A2 − A0" in judged()["single"].figures


def test_one_group_that_surely_loses_is_somewhere_worse() -> None:
    assert judged(groups=(group(SURE), group(LOSS)))["nowhere"].holds is False
    assert sentence(estimate(LOSS)) in judged(groups=(group(SURE), group(LOSS)))["nowhere"].figures
    assert judged(groups=(group(None, 3),))["nowhere"].holds is True


@pytest.mark.parametrize(("share", "holds"), [(0.6, True), (0.599, False), (-0.2, False)])
def test_the_share_asked_for(share: float, *, holds: bool) -> None:
    assert judged(closed=Share(share=share, low=-1, high=1))["closed"].holds is holds


@pytest.mark.parametrize(("base", "holds"), [(0.901, True), (0.899, False), (1.099, True), (1.101, False)])
def test_near_to_what_is_published(base: float, *, holds: bool) -> None:
    assert judged(base=base)["published"].holds is holds


def test_of_other_students_no_share_and_no_published_figure_is_asked() -> None:
    assert tuple(judged(student="gru4rec")) == PLACES[:11]
    assert len(verdicts(Evidence("sasrec", "masked", (), (), None, None, None))) == 12


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00424, "+.0042"), (-0.00424, "−.0042"), (0.00001, ".0000"), (-0.00001, ".0000"), (1.5, "+1.5000")],
)
def test_how_a_difference_is_written(value: float, text: str) -> None:
    assert signed(value) == text


def test_how_p_is_written() -> None:
    assert (p_value(0.0002), p_value(0.0123), p_value(1.0)) == ("< .001", "= .012", "= 1.000")


def test_in_a_made_up_world_of_known_gains_the_truth_is_told(findings: Findings, made: Report) -> None:
    """A7's lift is above A4's, C3's is below A0's; nothing is published."""
    del findings
    told = [one for one in made.verdicts if (one.student, one.protocol) == ("sasrec", "unmasked")]
    holds = {name: one.holds for name, one in zip(PLACES, told, strict=True)}
    assert holds["something to teach"] is True
    assert holds["single"] is True
    assert holds["nowhere"] is True
    assert holds["shuffled"] is True
    assert holds["published"] is None
