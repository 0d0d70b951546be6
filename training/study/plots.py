"""The other pictures of a study: each a function that gives a figure, or None where nothing was measured for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.artefacts import CurvePoint
from training.evaluation.ranking import Masking
from training.study.comparisons import BASE, FULL, MAIN_METRIC, PLAIN_MEAN
from training.study.findings import Findings
from training.study.groups import GroupGain, Grouping
from training.study.plot_style import BLUE, GREEN, GREY, INK, LINE, ORANGE, PAPER, QUIET, SERIES, blank, short, title
from training.study.report import Report, StudentReport

WEIGHTED_ROWS = ("A5", "A6", "A7", "A14")


def told_rows(student: StudentReport, protocol: Masking) -> dict[str, str]:
    """Row -> colour: A0, the best single teacher, A4, A7; those that are measured."""
    colours = {BASE: GREY, student.best_single.get(protocol, ""): GREEN, PLAIN_MEAN: ORANGE, FULL: BLUE}
    return {name: colour for name, colour in colours.items() if student.row(name) is not None}


def curves(findings: Findings, student: StudentReport, protocol: Masking) -> Figure | None:
    """Validation against epochs."""
    runs = findings.of(student.student)
    rows = {
        name: colour for name, colour in told_rows(student, protocol).items() if any(one.curve for one in runs[name])
    }
    if not rows:
        return None
    figure, (axis,) = blank(3.4)
    for name, colour in rows.items():
        for place, run in enumerate(one for one in runs[name] if one.curve):
            label = f"{name}: {run.meaning}" if not place else None
            _learning(axis, run.curve, colour, label)
    axis.set_xlabel("epoch")
    axis.grid(axis="y", color=LINE, linewidth=0.7)
    axis.yaxis.set_major_formatter(lambda value, _: short(float(value)))
    title(figure, f"How {student.student} learns", "NDCG@10 on validation users")
    _legend(figure, axis, columns=2)
    return figure


def _learning(axis: Axes, curve: Sequence[CurvePoint], colour: str, label: str | None) -> None:
    """A line a stage, and a dot at the best epoch of all."""
    for stage, points in groupby(curve, key=lambda point: point.stage):
        part = np.array([(point.epoch, point.validation) for point in points])  # [E, 2]
        style, said = ("-", label) if stage == 1 else (":", None)
        axis.plot(part[:, 0], part[:, 1], style, color=colour, linewidth=1.3, alpha=0.85, label=said)
    best = max(curve, key=lambda point: point.validation)
    axis.plot(best.epoch, best.validation, "o", color=colour, markersize=5, markeredgecolor=PAPER)


def weights(findings: Findings, student: StudentReport) -> Figure | None:
    """One panel a row, one shape a teacher."""
    samples = {
        name: np.concatenate([run.weight_sample for run in runs if run.weight_sample is not None])  # [S, M]
        for name, runs in findings.of(student.student).items()
        if name in WEIGHTED_ROWS and any(run.weight_sample is not None and len(run.weight_sample) for run in runs)
    }
    if not samples:
        return None
    figure, axes = blank(1.75 + 0.42 * len(findings.teachers), len(samples), share_y=True)
    for axis, (name, sample) in zip(axes, samples.items(), strict=True):
        _violins(axis, sample)
        meaning = fill(findings.of(student.student)[name][0].meaning, 22)
        axis.set_title(f"{name}\n{meaning}", loc="left", fontsize=8.5, color=INK)
    axes[0].set_yticks(range(len(findings.teachers)), findings.teachers)
    title(figure, f"Whom {student.student} is told to believe", "weight of each teacher over train rows")
    return figure


def _violins(axis: Axes, sample: NDArray[np.float32]) -> None:
    """Lying shapes, the first teacher on top."""
    places = np.arange(sample.shape[1])
    drawn = axis.violinplot(
        list(sample.T.astype(np.float64)), places, orientation="horizontal", widths=0.85, showextrema=False
    )
    bodies: Sequence[Artist] = drawn["bodies"]  # type: ignore[assignment]  # a list under one of the keys
    for place, body in enumerate(bodies):
        body.set(facecolor=SERIES[place % len(SERIES)], edgecolor="none", alpha=0.55)
    axis.scatter(sample.mean(axis=0), places, marker="|", s=170, color=INK, linewidths=2, zorder=3)
    axis.axvline(1 / sample.shape[1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axis.set(xlim=(-0.02, 1.02), ylim=(sample.shape[1] - 0.45, -0.55), xticks=[0, 0.5, 1])
    axis.set_xticklabels(["0", ".5", "1"])
    axis.spines["left"].set_visible(False)


def group_gains(report: Report, student: StudentReport, protocol: Masking) -> Figure | None:
    """Gains of the told rows in every group of users."""
    rows = {name: colour for name, colour in told_rows(student, protocol).items() if name != BASE}
    panels: dict[Grouping, str] = {"target": "train interactions of the target", "history": "length of the history"}
    found = {
        grouping: [
            one for one in student.groups if (one.grouping, one.protocol) == (grouping, protocol) and one.row in rows
        ]
        for grouping in panels
    }
    if not any(one.gain for groups in found.values() for one in groups):
        return None
    figure, axes = blank(3.3, len(panels), share_y=True)
    for axis, (grouping, heading) in zip(axes, panels.items(), strict=True):
        _dodged(axis, found[grouping], rows)
        axis.set_title(heading, loc="left", fontsize=9, color=QUIET)
    axes[0].yaxis.set_major_formatter(lambda value, _: f"{'+' if value > 0 else ''}{short(float(value))}")
    title(figure, f"Who gains: {student.student} on {report.dataset}", "gain in NDCG@10 over A0, with 95% intervals")
    _legend(figure, axes[0], columns=len(rows))
    return figure


def _dodged(axis: Axes, groups: Sequence[GroupGain], rows: dict[str, str]) -> None:
    """Groups along the axis, rows side by side in each."""
    names = list(dict.fromkeys(one.group for one in groups))
    users = {one.group: one.users for one in groups}
    for number, (row, colour) in enumerate(rows.items()):
        told = [(names.index(one.group), one.gain) for one in groups if one.row == row and one.gain is not None]
        shift = (number - (len(rows) - 1) / 2) * 0.2
        x, y = [place + shift for place, _ in told], [gain.estimate for _, gain in told]
        off = [[gain.estimate - gain.low for _, gain in told], [gain.high - gain.estimate for _, gain in told]]
        axis.errorbar(x, y, np.maximum(off, 0), fmt="o", color=colour, markersize=5.5, elinewidth=2, label=row)
    axis.axhline(0, color=QUIET, linewidth=1)
    axis.set_xticks(range(len(names)), [f"{name}\n{users[name]:,} users" for name in names], fontsize=8)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.grid(axis="y", color=LINE, linewidth=0.7)


def teachers(report: Report, protocol: Masking) -> Figure | None:
    """Bars: each teacher, their mixture, at least one of them."""
    found = next((one for one in report.complementarity if one.protocol == protocol), None)
    if found is None:
        return None
    bars = [(name, share, BLUE if name == found.best else GREY) for name, share in found.teachers.items()]
    bars += [] if found.ensemble is None else [("their mixture (C6)", found.ensemble, ORANGE)]
    bars += [("at least one of them", found.union, INK)]
    figure, (axis,) = blank(1.2 + 0.36 * len(bars))
    for place, (_, share, colour) in enumerate(bars):
        axis.barh(place, share, 0.62, color=colour)
        axis.annotate(
            f"{share:.1%}",
            (share, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
    axis.set_yticks(range(len(bars)), [name for name, *_ in bars])
    axis.invert_yaxis()
    axis.set_xticks([])
    axis.margins(x=0.1)
    axis.spines[["left", "bottom"]].set_visible(False)
    title(
        figure,
        f"What teachers know together on {report.dataset}",
        f"test users whose target is among the first ten, history {protocol}; the best teacher in blue",
    )
    return figure


def cost(report: Report, protocol: Masking) -> Figure | None:
    """Quality against training time, a colour a student."""
    students = [one for one in report.students if one.costs]
    if not students:
        return None
    figure, (axis,) = blank(3.8)
    for colour, student in zip(SERIES * len(students), students, strict=False):
        _scatter(axis, student, protocol, colour)
    axis.set_xlabel("seconds of training, mean over seeds (the teachers' memory is made once and is not in it)")
    axis.grid(color=LINE, linewidth=0.7)
    axis.margins(0.08)
    axis.yaxis.set_major_formatter(lambda value, _: short(float(value)))
    title(figure, f"Quality and cost on {report.dataset}", f"NDCG@10 on test users, history {protocol}")
    _legend(figure, axis, columns=3)
    return figure


def _scatter(axis: Axes, student: StudentReport, protocol: Masking, colour: str) -> None:
    told = told_rows(student, protocol)
    label: str | None = f"{student.student}, {student.costs[0].parameters:,} parameters"
    for spent in student.costs:
        row = student.row(spent.row)
        if row is None:
            continue
        height, main = row.metrics[protocol][MAIN_METRIC].mean, spent.row in told
        axis.scatter(
            spent.seconds,
            height,
            s=42 if main else 18,
            color=colour,
            alpha=1 if main else 0.4,
            linewidths=0,
            label=label,
        )
        label = None  # the legend names a student once
        if main:
            axis.annotate(
                spent.row, (spent.seconds, height), xytext=(5, 4), textcoords="offset points", fontsize=8.5, color=INK
            )


def _legend(figure: Figure, axis: Axes, columns: int) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, fontsize=8.5, frameon=False, labelcolor=INK)
