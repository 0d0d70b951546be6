"""The one picture: what every way of teaching adds over no distillation, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from training.evaluation.ranking import Masking
from training.study.comparisons import BASE, FULL, SINGLES, Difference
from training.study.findings import ENSEMBLE
from training.study.plot_style import BLUE, GREY, INK, LINE, ORANGE, PAPER, QUIET, blank, short, title
from training.study.report import Report, RowReport, StudentReport
from training.study.verdicts import signed

SURE = 0.05
"""A filled mark: Holm's p is below this."""
_SECTIONS = ("one teacher", "teachers together", "controls", "ceiling")
_COLOURS = dict(zip(_SECTIONS, (GREY, BLUE, ORANGE, INK), strict=True))


@dataclass(frozen=True)
class _Line:
    label: str
    section: str
    difference: Difference
    y: float


def forest(report: Report, student: StudentReport, protocol: Masking) -> Figure | None:
    """One line a row; None where there is nothing to compare with A0."""
    lines = _lines(report, student, protocol)
    base = student.row(BASE)
    if not lines or base is None:
        return None
    height = 1.75 + 0.235 * (lines[-1].y + 1)
    figure, (axis,) = blank(height, width=8.4)
    for line in lines:
        _draw(axis, line)
    axis.axvline(0, color=QUIET, linewidth=1, zorder=1)
    _dress(axis, lines)
    start = base.metrics[protocol]["ndcg@10"].mean
    title(
        figure,
        f"What teaching adds to {student.student} on {report.dataset}",
        f"gain in NDCG@10 over no distillation (A0 = {start:.4f}), {report.users:,} test users, history {protocol}",
    )
    figure.legend(
        handles=_legend(),
        loc="outside lower left",
        ncols=3,
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
        handletextpad=0.4,
    )
    return figure


def _lines(report: Report, student: StudentReport, protocol: Masking) -> list[_Line]:
    """From the top down, a gap between sections."""
    found: list[_Line] = []
    y = 0.0
    for section in _SECTIONS:
        rows = [row for row in student.rows if _section(row) == section]
        differences = [(row, student.difference(row.name, BASE, protocol)) for row in rows]
        there = [(row, one) for row, one in differences if one is not None]
        for row, one in there:
            found.append(_Line(_label(report, row), section, one, y))
            y += 1
        y += 0.55 if there else 0
    return found


def _section(row: RowReport) -> str | None:
    if row.name == ENSEMBLE:
        return "ceiling"
    if row.kind != "student" or row.name == BASE:
        return None
    if row.name in SINGLES:
        return "one teacher"
    return "controls" if row.name.startswith("C") else "teachers together"


def _label(report: Report, row: RowReport) -> str:
    meaning = row.meaning.removeprefix("control: ")
    if row.name in SINGLES and SINGLES.index(row.name) < len(report.teachers):
        meaning = f"{report.teachers[SINGLES.index(row.name)]} alone"
    return meaning


def _draw(axis: Axes, line: _Line) -> None:
    one, colour = line.difference, _COLOURS[line.section]
    sure = one.holm_p is None or one.holm_p < SURE
    if one.left == FULL:
        axis.axhspan(line.y - 0.5, line.y + 0.5, color=BLUE, alpha=0.1, linewidth=0)
    axis.plot([one.low, one.high], [line.y, line.y], color=colour, linewidth=2, solid_capstyle="round", zorder=2)
    axis.plot(
        one.estimate,
        line.y,
        marker="D" if line.section == "ceiling" else "o",
        markersize=6.5,
        color=colour,
        markerfacecolor=colour if sure else PAPER,
        markeredgewidth=1.6,
        zorder=3,
    )
    _figures(axis, line)


def _figures(axis: Axes, line: _Line) -> None:
    """The row's name at the left of the axis and its numbers at the right, in columns."""
    one = line.difference
    columns = (
        (0, -6, "right", one.left, INK),
        (1, 52, "right", signed(one.estimate), INK),
        (1, 58, "left", f"[{signed(one.low)}, {signed(one.high)}]", QUIET),
    )
    for edge, points, side, text, colour in columns:
        axis.annotate(
            text,
            (edge, line.y),
            xytext=(points, 0),
            xycoords=axis.get_yaxis_transform(),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=8.5,
            color=colour,
            fontweight="bold" if one.left == FULL else "normal",
        )


def _dress(axis: Axes, lines: Sequence[_Line]) -> None:
    axis.set_ylim(lines[-1].y + 0.7, -0.7)
    axis.set_yticks([line.y for line in lines], [line.label for line in lines])
    for tick, line in zip(axis.get_yticklabels(), lines, strict=True):
        tick.set(fontsize=8.5, fontweight="bold" if line.difference.left == FULL else "normal")
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color=LINE, linewidth=0.7)
    axis.tick_params(axis="y", pad=31)
    axis.margins(x=0.06)
    axis.locator_params(axis="x", nbins=8)
    axis.xaxis.set_major_formatter(lambda value, _: f"{'+' if value > 0 else ''}{short(float(value))}")


def _legend() -> list[Line2D]:
    dot = {"linestyle": "-", "linewidth": 2, "markersize": 6, "markeredgewidth": 1.6}
    return [
        Line2D([], [], color=QUIET, marker="o", label="told from no gain (Holm, 5%)", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=QUIET, marker="o", markerfacecolor=PAPER, label="not told from no gain", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=INK, marker="D", label="the teachers themselves", **dot),  # type: ignore[arg-type]
    ]
