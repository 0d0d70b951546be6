"""docs/studies/NAME.md: all that one study found, from its stored report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.study_summary import MAIN_STUDENT, at_their_limit, fell_apart, left_open, trained
from benchmarks.study_words import COMMANDS, SAID
from training.evaluation.ranking import Masking
from training.study.comparisons import BASE, MAIN_METRIC
from training.study.report import Report, RowReport, Statistic, StudentReport
from training.study.verdicts import Verdict, p_value, signed

_HEAD = "Written by `python -m benchmarks.studies page`. How to read it: [Studies](../studies.md)."
FELL_APART = "seeds fell apart"
_MARK = {True: "holds", False: "**does not hold**", None: "not measured"}


def study_text(name: str, report: Report) -> str:
    """The page of a study that is kept as `name`."""
    return "\n".join(_lines(name, report))


def _lines(name: str, report: Report) -> Iterable[str]:
    yield f"# {name}\n"
    yield f"{_HEAD}\n"
    if name in SAID:
        yield f"{SAID[name]}\n"
    yield f"{report.users:,} test users, teachers {', '.join(report.teachers)}. {left_open(report)}"
    yield "\n".join(one for one in (trained(report), at_their_limit(report)) if one) + "\n"
    for student in sorted(report.students, key=lambda one: one.student != MAIN_STUDENT):
        yield from _student(student)
    main = [one for one in report.verdicts if one.student == MAIN_STUDENT]
    if main:
        yield "## Criteria, SASRec\n"
        yield from _criteria(main)
    yield "## Cost, and the commands\n"
    yield from _costs(report)
    yield f"```\n{COMMANDS.get(name, f'.venv/bin/python -m benchmarks.studies run --set {name}')}\n```\n"


def _student(student: StudentReport) -> Iterable[str]:
    yield f"## {student.student}\n"
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
