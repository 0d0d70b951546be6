"""docs/img/studies.png: what joint distillation gives the main student on each set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.study_summary import MAIN_STUDENT
from training.study.comparisons import BASE, FULL, MAIN_METRIC, PLAIN_MEAN, TO_CLEAR
from training.study.findings import ENSEMBLE
from training.study.plot_style import BLUE, GREEN, GREY, INK, LINE, ORANGE, QUIET, WIDTH, blank, png, short, title
from training.study.report import Report


def draw(reports: Sequence[Report], path: Path) -> None:
    """One panel a report."""
    figure, axes = blank(3.5, len(reports), width=max(WIDTH, 2.8 * len(reports)))
    for axis, report in zip(axes, reports, strict=True):
        _bars(axis, report)
    title(
        figure, "What joint distillation gives a small SASRec", "NDCG@10 masked, mean over seeds; lines: simple floors"
    )
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    png(figure, path)


def _bars(axis: Axes, report: Report) -> None:
    student = next(one for one in report.students if one.student == MAIN_STUDENT)
    single = student.best_single.get("masked", "")
    named = {BASE: ("alone", GREY), single: (f"best single\n({single})", GREEN), PLAIN_MEAN: ("mean", ORANGE)}
    named |= {FULL: ("joint", BLUE), ENSEMBLE: ("teachers", INK)}
    rows = [(label, colour, row) for name, (label, colour) in named.items() if (row := student.row(name)) is not None]
    for place, (_, colour, row) in enumerate(rows):
        found = row.metrics["masked"][MAIN_METRIC]
        axis.bar(place, found.mean, 0.7, color=colour, yerr=found.sd, ecolor=QUIET)
        axis.annotate(f"{found.mean:.4f}"[1:], (place, found.mean), ha="center", va="bottom", fontsize=7.5, color=INK)
    for name, style in zip(TO_CLEAR, ("--", ":"), strict=True):
        floor = student.row(name)
        if floor is not None:
            axis.axhline(
                floor.metrics["masked"][MAIN_METRIC].mean, linestyle=style, color=QUIET, linewidth=1, label=name
            )
    axis.set_xticks(range(len(rows)), [label for label, _, _ in rows], fontsize=7)
    axis.set_title(report.dataset, loc="left", fontsize=9)
    axis.grid(axis="y", color=LINE, linewidth=0.7)
    axis.yaxis.set_major_formatter(lambda value, _: short(float(value)))
