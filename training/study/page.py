"""`report.html`: one file that tells a study to a person: no network, no script, light and dark, wide and narrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training.evaluation.ranking import PROTOCOLS, Masking
from training.study.comparisons import BASE, COMPARED, Difference
from training.study.findings import Findings
from training.study.gallery import Plot, Reading, student_plots, study_plots
from training.study.groups import COLD, SMALLEST
from training.study.plot_style import inline_svg, png
from training.study.report import METRICS, Report, RowReport, Statistic, StudentReport
from training.study.verdicts import Verdict, p_value, signed

PAGE = "report.html"
PLOTS = "plots"
STARS = ((0.01, "★★"), (0.05, "★"))
"""Holm's p below -> mark; the first that fits."""


@dataclass(frozen=True)
class Cell:
    """A metric of a row."""

    mean: str
    sd: str
    """Empty: one seed."""
    best: bool
    """No row of the student is better; references do not compete."""


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    row: RowReport
    cells: tuple[Cell, ...]
    gains: tuple[Difference | None, ...]
    """Of NDCG@10 and Recall@10 over A0."""


@dataclass(frozen=True)
class Picture:
    """A plot inside the page."""

    reading: Reading
    svg: Markup
    file: str


@dataclass(frozen=True)
class StudentPart:
    """What the page says of one student."""

    student: StudentReport
    criteria: dict[str, tuple[Verdict, ...]]
    """Text -> one a protocol it was asked for, the headline's first."""
    tables: dict[Masking, tuple[Line, ...]]
    """The headline's first."""
    pairs: dict[Masking, tuple[tuple[Difference, Difference], ...]]
    """Comparisons between rows other than A0: (NDCG@10, Recall@10)."""
    pictures: tuple[Picture, ...]
    aware: tuple[RowReport, ...]
    """The lines that were ranked with an offset on what was seen."""


def write_page(findings: Findings, report: Report, folder: Path) -> Path:
    """Write `report.html`, and every plot of it as a PNG into `plots`."""
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    drawn = {
        plot.name: (plot, _picture(plot, folder)) for plot in (*student_plots(findings, report), *study_plots(report))
    }
    text = page(report, list(drawn.values()))
    partial = folder / f"{PAGE}.partial"
    partial.write_text(text, encoding="utf-8")
    return partial.replace(folder / PAGE)


def page(report: Report, drawn: Sequence[tuple[Plot, Picture]]) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("training", "study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signed": signed, "p": p_value, "mark": mark, "size": size, "time": duration}
    return environment.get_template("report.html.jinja").render(
        report=report,
        protocols=_protocols(report),
        metrics=METRICS,
        criteria=list(dict.fromkeys(one.text for one in report.verdicts)),
        parts=[_part(report, student, drawn) for student in report.students],
        pictures=[picture for plot, picture in drawn if not plot.student],
        recipe=json.dumps(report.recipe, indent=1, ensure_ascii=False),
        cold=COLD,
        smallest=SMALLEST,
    )


def mark(difference: Difference) -> str:
    """Stars for Holm's p; empty where the difference may be none, and for references."""
    if difference.holm_p is None:
        return ""
    return next((stars for below, stars in STARS if difference.holm_p < below), "")


def size(count: int) -> str:
    """Bytes as people say them."""
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _protocols(report: Report) -> tuple[Masking, ...]:
    return tuple(sorted(PROTOCOLS, key=lambda one: one != report.how.headline))


def _picture(plot: Plot, folder: Path) -> Picture:
    file = f"{PLOTS}/{plot.name}.png"
    png(plot.figure, folder / file)
    return Picture(plot.reading, Markup(inline_svg(plot.figure, plot.name)), file)  # noqa: S704  # matplotlib escapes


def _part(report: Report, student: StudentReport, drawn: Iterable[tuple[Plot, Picture]]) -> StudentPart:
    protocols = _protocols(report)
    return StudentPart(
        student=student,
        criteria=_criteria([one for one in report.verdicts if one.student == student.student], protocols),
        tables={protocol: _lines(student, protocol) for protocol in protocols},
        pairs={protocol: _pairs(student, protocol) for protocol in protocols},
        pictures=tuple(picture for plot, picture in drawn if plot.student == student.student),
        aware=tuple(row for row in student.rows if row.repeat_aware is not None),
    )


def _criteria(verdicts: Sequence[Verdict], protocols: Sequence[Masking]) -> dict[str, tuple[Verdict, ...]]:
    ordered = sorted(verdicts, key=lambda one: protocols.index(one.protocol))
    texts = dict.fromkeys(one.text for one in verdicts)
    return {text: tuple(one for one in ordered if one.text == text) for text in texts}


def _lines(student: StudentReport, protocol: Masking) -> tuple[Line, ...]:
    """The table: every number is shown as rounded, and what rounds to the best is best."""
    competing = [row for row in student.rows if row.kind == "student"]
    best = {
        metric: max((_figure(row.metrics[protocol][metric].mean) for row in competing), default="")
        for metric in METRICS
    }
    return tuple(
        Line(
            row,
            tuple(
                _cell(row.metrics[protocol][metric], best[metric] if row.kind == "student" else "")
                for metric in METRICS
            ),
            tuple(student.difference(row.name, BASE, protocol, metric) for metric in COMPARED),
        )
        for row in student.rows
    )


def _cell(statistic: Statistic, best: str) -> Cell:
    text = _figure(statistic.mean)
    return Cell(text, "" if statistic.sd is None else _figure(statistic.sd), text == best)


def _pairs(student: StudentReport, protocol: Masking) -> tuple[tuple[Difference, Difference], ...]:
    named = dict.fromkeys(
        (one.left, one.right) for one in student.differences if one.right != BASE and one.protocol == protocol
    )
    both = [[student.difference(*pair, protocol, metric) for metric in COMPARED] for pair in named]
    return tuple((first, second) for first, second in both if first is not None and second is not None)


def _figure(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")
