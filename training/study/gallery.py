"""Which pictures a report shows, and how each is to be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from training.study.findings import Findings
from training.study.forest import forest
from training.study.plots import cost, curves, group_gains, teachers, weights
from training.study.report import Report


@dataclass(frozen=True)
class Reading:
    """What stands beside a picture."""

    heading: str
    how: str
    """One sentence: how to read it."""


@dataclass(frozen=True)
class Plot:
    """A figure, and what a page needs to show it."""

    name: str
    """Of its file."""
    student: str
    """Empty: the whole study."""
    reading: Reading
    figure: Figure


def student_plots(findings: Findings, report: Report) -> Iterator[Plot]:
    """Every plot of one student for which something was measured, one student after the other."""
    protocol = report.how.headline
    for student in report.students:
        drawn = {
            "gains": forest(report, student, protocol),
            "groups": group_gains(report, student, protocol),
            "curves": curves(findings, student, protocol),
            "weights": weights(findings, student),
        }
        for name, figure in drawn.items():
            if figure is not None:
                yield Plot(f"{name}-{student.student}", student.student, _READINGS[name], figure)


def study_plots(report: Report) -> Iterator[Plot]:
    """Those of the whole study."""
    drawn = {"teachers": teachers(report, report.how.headline), "cost": cost(report, report.how.headline)}
    for name, figure in drawn.items():
        if figure is not None:
            yield Plot(name, "", _READINGS[name], figure)


_READINGS = {
    "gains": Reading(
        "Gain of every row",
        "Each mark is a row's mean gain over A0 and its line the 95% interval over users; a filled mark is a "
        "difference that holds after Holm's correction, and the dark diamond is what the teachers reach themselves.",
    ),
    "groups": Reading(
        "Who gains",
        "The same gain for some of the users, apart by how often their target was met in training and by how much "
        "they had done before; an interval across 0 means that nothing can be told for that group.",
    ),
    "curves": Reading(
        "Learning curves",
        "NDCG@10 on the validation users after every epoch, one line a seed; the dot is the best epoch. "
        "Dotted: a last stage, which begins with the best weights before it.",
    ),
    "weights": Reading(
        "Who is listened to",
        "How the weight of each teacher spreads over train rows, with a bar at its mean: narrow at the dashed line is "
        "the plain mean of all, wide means that rows differ in whom they trust.",
    ),
    "teachers": Reading(
        "What teachers know together",
        "The wider the gap between the best teacher and at least one of them, the more is to be won by joining them.",
    ),
    "cost": Reading(
        "Quality and cost",
        "One mark a row: higher is better, further left is cheaper to train; teachers are gone when a student serves.",
    ),
}
