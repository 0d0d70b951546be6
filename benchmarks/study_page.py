"""docs/studies.md and its picture, from the stored reports: what stands on the page was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.study_summary import (
    MAIN_STUDENT,
    at_their_limit,
    by_popularity,
    by_student,
    fell_apart,
    left_open,
    summary,
    trained,
)
from training.evaluation.ranking import Masking
from training.study.comparisons import BASE, FULL, MAIN_METRIC, PLAIN_MEAN, TO_CLEAR
from training.study.findings import ENSEMBLE
from training.study.plot_style import BLUE, GREEN, GREY, INK, LINE, ORANGE, QUIET, WIDTH, blank, png, short, title
from training.study.report import REPORT, Report, RowReport, Statistic, StudentReport
from training.study.verdicts import Verdict, p_value, signed

PAGE = "studies.md"
PICTURE = "studies.png"
_HEAD = """# Studies

Written by `python -m benchmarks.studies page` from the reports in `benchmarks/results/studies`; a test holds the two
together. Every item is ranked for every test user (leave-one-out); figures are means over seeds, ± their standard
deviation. A gain is over A0, the same student without teachers; in brackets 95% of 10,000 paired bootstraps over users,
p after Holm's correction over the rows of a student. Intervals and p are about users: what one seed or another would
have brought is in the ±, and of a row with one seed nothing is known of it. What the rows are:
[Distillation](distillation.md). *Unmasked* is what published tables rank; *masked*, what a user has seen is no
candidate, as the service answers, but a target that was met before stays one, as is usual. *With an offset*:
unmasked, and one number is added to the scores of what the user has seen, fitted for each line on 1,000 users of the
calibration half of validation (`training/evaluation/repeat_offset.py`). Published models have no such number.
*Cut short*: so many seeds were ended by their limit of epochs, not because more had brought nothing. But for
the one called `as_served`, epochs and recipes were chosen unmasked. How long SASRec was trained stands at each set: 3
to 6 epochs that bring nothing are little patience with rows that are taught
([decision 26](decisions/026-chosen-as-it-is-served.md)). The gains told of `movies_ml1m`, in picture and tables, are
over an A0 that was ended too soon ([decision 28](decisions/028-a-student-trained-to-its-end.md)).

![NDCG@10 of SASRec: alone, with one teacher, the mean, joint distillation, and the teachers](img/studies.png)
"""
THREE_TEACHERS = {
    name: f"{name}_three_teachers"
    for name in ("amazon_scientific", "amazon_office_2014", "online_retail", "movies_ml1m")
}
"""Data set -> what the study with fewer teachers, and more rows, is kept as."""
AS_SERVED = {name: f"{name}_as_served" for name in ("amazon_office_2014",)}
"""Data set -> what the study is kept as whose recipes and epochs were chosen masked, as the service answers."""
_THREE = (
    "The same data set with three teachers, UniSRec, UniM2Rec and EASE, pre-trained as two cores can pay for"
    " (`configs/teachers/two-cores`), and more rows: the controls, a broken teacher in the plain mean, other ways of"
    " weighing. What the GPU's time did not suffice for, A15 and C8 among it, was trained on two cores from the same"
    " teachers."
)
_AS_SERVED = (
    "The same three teachers; how much is taught and which epoch is kept were chosen by validation with what users have"
    " seen left out, as the service answers, in place of the published tables' way, and a training ends after 15 epochs"
    " that bring nothing, not after 6 ([decision 26](decisions/026-chosen-as-it-is-served.md)). Nothing was chosen for"
    " its unmasked figures. Only the main rows of SASRec."
)
_LONGER = (
    f"{_THREE} All of it was trained with little patience; what the main rows reach with more, and shorter steps, is"
    " told in [decision 27](decisions/027-more-steps-and-an-average.md)."
)
SAID = {
    **dict.fromkeys((THREE_TEACHERS["amazon_scientific"], THREE_TEACHERS["online_retail"]), _LONGER),
    **dict.fromkeys(AS_SERVED.values(), _AS_SERVED),
    "movies_ml1m": "A0 has steps a third as long as the taught rows, by its own search (eight recipes on a GPU, whose"
    " record was lost with the machine). With the long steps it stood at .1704 masked, and the gain of A7 seemed to be"
    " +.0257. The taught rows were not searched at the short length: what they would gain by it is not known, and A3"
    " and C3 collapsed at the long one. And A0 was ended too soon, after 33 epochs on average, by a patience of 5 or by"
    " its limit: one seed that went on, on another machine, had .1437 unmasked and .1942 masked, above A7 unmasked and"
    " within .0019 of it masked. No gain should be read here"
    " ([decision 28](decisions/028-a-student-trained-to-its-end.md)).",
    "amazon_office_2014": "GRU4Rec's recipe does not suit this set: some seeds stopped before they had learnt"
    " anything. The study with three teachers has a recipe that was searched, and there it learns.",
    THREE_TEACHERS["amazon_office_2014"]: "The same data set with three teachers, UniSRec, UniM2Rec and EASE,"
    " pre-trained as two cores can pay for (`configs/teachers/two-cores`), every row, and the other students, whose"
    " steps and weights were searched on validation"
    " ([decision 25](decisions/025-steps-that-bear-a-bad-teacher.md)). Teachers and students were trained in one go on"
    " two cores of an Intel Xeon. EASE knows little here, and one bad teacher of three is what weights are for.",
    "online_retail": "Baskets: what is bought together comes one after the other, and the last-item Markov chain is"
    " the floor to clear. Unmasked SASRec does not; masked, or with an offset on what was seen, it does.",
}
"""Name -> a word before its tables."""
COMMANDS = {
    kept: ".venv/bin/python -m benchmarks.teachers run --sets SETS --build build/three"
    f" --recipes configs/teachers/two-cores --target {name} --teacher unisrec --teacher unim2rec --no-compare\n"
    f".venv/bin/python -m benchmarks.studies run --set {name} --build build/three"
    f" --teacher unisrec --teacher unim2rec --keep-as {kept}"
    for names in (THREE_TEACHERS, AS_SERVED)
    for name, kept in names.items()
}
"""Name -> what makes it, where it is not the plain command."""
FELL_APART = "seeds fell apart"
_MARK = {True: "holds", False: "**does not hold**", None: "not measured"}


def write_page(results: Path, docs: Path) -> Path:
    """Write the page and its picture.

    Args:
        results: one folder a data set, with a `report.json` in it.
        docs: folder of the documentation.
    """
    reports = stored(results)
    page = docs / PAGE
    page.write_text(page_text(reports), encoding="utf-8")
    _draw([one for name, one in reports.items() if name == one.dataset], docs / "img" / PICTURE)
    return page


def stored(results: Path) -> dict[str, Report]:
    """Every stored report under the name that it is kept as: its data set's, or another one."""
    return {path.parent.name: Report.read(path.parent) for path in sorted(results.glob(f"*/{REPORT}"))}


def page_text(reports: Mapping[str, Report]) -> str:
    """The page."""
    sections = (line for name, one in reports.items() for line in _section(name, one))
    return "\n".join([_HEAD, *summary(reports), *by_student(reports), *by_popularity(reports), *sections])


def _section(name: str, report: Report) -> Iterable[str]:
    yield f"## {name}\n"
    if name in SAID:
        yield f"{SAID[name]}\n"
    yield f"{report.users:,} test users, teachers {', '.join(report.teachers)}. {left_open(report)}"
    yield "\n".join(one for one in (trained(report), at_their_limit(report)) if one) + "\n"
    for student in sorted(report.students, key=lambda one: one.student != MAIN_STUDENT):
        yield from _student(student)
    main = [one for one in report.verdicts if one.student == MAIN_STUDENT]
    if main:
        yield "Criteria, SASRec:\n"
        yield from _criteria(main)
    yield from _costs(report)
    yield f"```\n{COMMANDS.get(name, f'.venv/bin/python -m benchmarks.studies run --set {name}')}\n```\n"


def _student(student: StudentReport) -> Iterable[str]:
    yield f"### {student.student}\n"
    yield (
        "| row | seeds | N@10 unmasked | gain over A0 | R@10 unmasked | N@10 masked | gain over A0 | R@10 masked "
        "| N@10 with an offset | R@10 with an offset |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    shown = [row for row in student.rows if row.kind == "student" or student.student == MAIN_STUDENT]
    for row in shown:
        cells = [_cell(student, row, "unmasked"), _cell(student, row, "masked"), _with_offset(row)]
        yield f"| {_name(row)} | {row.seeds} | {' | '.join(part for one in cells for part in one)} |"
    yield ""


def _name(row: RowReport) -> str:
    said = f"{row.name}, {row.meaning}" if row.kind in ("student", "ensemble") else row.name
    cut = f"{row.cut_short} of {row.seeds} seeds cut short" if row.cut_short else ""
    notes = [note for note in (FELL_APART if fell_apart(row) else "", cut) if note]
    return f"{said} ({'; '.join(notes)})" if notes else said


def _cell(student: StudentReport, row: RowReport, protocol: Masking) -> tuple[str, str, str]:
    found = row.metrics[protocol]
    best = max(one.metrics[protocol][MAIN_METRIC].mean for one in student.rows if one.kind == "student")
    ndcg = _figure(found[MAIN_METRIC])
    if row.kind == "student" and found[MAIN_METRIC].mean == best:
        ndcg = f"**{ndcg}**"
    broken = fell_apart(row) or fell_apart(student.row(BASE))
    gain = None if broken else student.difference(row.name, BASE, protocol)
    told = "" if gain is None else f"{signed(gain.estimate)} [{signed(gain.low)}, {signed(gain.high)}]"
    if gain is not None and gain.holm_p is not None:
        told += f", p {p_value(gain.holm_p)}"
    return ndcg, told, _figure(found["recall@10"])


def _with_offset(row: RowReport) -> tuple[str, str]:
    if row.repeat_aware is None:
        return "", ""
    return _figure(row.repeat_aware[MAIN_METRIC]), _figure(row.repeat_aware["recall@10"])


def _figure(one: Statistic) -> str:
    text = f"{one.mean:.4f}".removeprefix("0")
    return text if one.sd is None else f"{text} ± {f'{one.sd:.4f}'.removeprefix('0')}"


def _criteria(found: Sequence[Verdict]) -> Iterable[str]:
    yield "| criterion | unmasked | masked |"
    yield "|---|---|---|"
    for text in dict.fromkeys(one.text for one in found):
        by = {one.protocol: one for one in found if one.text == text}
        cells = [f"{_MARK[by[p].holds]}: {by[p].figures}" if p in by else "" for p in ("unmasked", "masked")]
        yield f"| {text} | {' | '.join(cells)} |"
    yield ""


def _costs(report: Report) -> Iterable[str]:
    held = "; ".join(f"{one.teacher} {one.bytes / 1e6:.1f} MB, {one.seconds:.0f} s" for one in report.knowledge)
    yield f"- The teachers' memory, and gathering it: {held}."
    early = ", ".join(one.teacher for one in report.knowledge if one.cut_short)
    if early:
        yield f"- Teachers that were ended by their limit of epochs, and may know less than they could: {early}."
    for student in report.students:
        of = {one.row: one for one in student.costs}
        if BASE in of and student.latency_ms is not None:
            peak = max((one.peak_memory_mb or 0) for one in student.costs)
            yield (
                f"- {student.student}: {of[BASE].parameters:,} parameters, {student.latency_ms:.2f} ms a request "
                f"(torch, one thread), at most {peak:,.0f} MB of memory in training{_devices(student)}."
            )
    yield ""


def _devices(student: StudentReport) -> str:
    found = sorted({device for one in student.costs for device in one.devices})
    return f"; trained on {' and '.join(found)}" if found else ""


def _draw(reports: Sequence[Report], path: Path) -> None:
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
