"""What the studies say together, in three tables, and what each of them leaves open: docs/studies.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from training.distillation.recipe import DistillConfig
from training.distillation.rows import ROWS, study_row
from training.evaluation.ranking import PROTOCOLS, Masking
from training.students.registry import STUDENTS
from training.study.comparisons import BASE, FULL, MAIN_METRIC, PLAIN_MEAN
from training.study.config import StudyConfig
from training.study.findings import ENSEMBLE
from training.study.report import Report, RowReport, StudentReport
from training.study.significance import Estimate
from training.study.verdicts import signed

MAIN_STUDENT = "sasrec"
WHERE = (PLAIN_MEAN, FULL, "A15", "C8")
"""Of which it is told where their gain lies: the mean, joint distillation, the teachers' items with it and without."""


def summary(reports: Mapping[str, Report]) -> Iterable[str]:
    """One line a study and protocol: SASRec alone, with the best single teacher, the mean, joint; its teachers."""
    yield "SASRec on each set, NDCG@10; in brackets 95% over users:\n"
    yield "| set | protocol | A0 | best single | A4 | A7 | teachers (C6) | A7 − A0 | A7 − A4 |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, report in reports.items():
        student = _main(report)
        for protocol in PROTOCOLS:
            single = student.best_single.get(protocol, "")
            shown = [_mean(student.row(row), protocol) for row in (BASE, single, PLAIN_MEAN, FULL, ENSEMBLE)]
            shown[1] += f" ({single})" if shown[1] else ""
            gains = [_gain(student, right, protocol) for right in (BASE, PLAIN_MEAN)]
            yield f"| {name} | {protocol} | {' | '.join((*shown, *gains))} |"
    yield ""


def by_student(reports: Mapping[str, Report], protocol: Masking = "masked") -> Iterable[str]:
    """One line a student and comparison, one column a set: what teaching gives, and what weights add to the mean."""
    sets = {name: one for name, one in reports.items() if name == one.dataset or len(one.students) > 1}
    yield f"Every student, NDCG@10 {protocol}: what joint distillation gives, and its weights beyond the plain mean:\n"
    yield f"| student | difference | {' | '.join(sets)} |"
    yield f"|---|---|{'---|' * len(sets)}"
    for student in STUDENTS:
        for right in (BASE, PLAIN_MEAN):
            cells = [_difference(report, student, right, protocol) for report in sets.values()]
            if any(cells):
                yield f"| {student} | {FULL} − {right} | {' | '.join(cells)} |"
    yield ""


def by_popularity(reports: Mapping[str, Report], protocol: Masking = "masked") -> Iterable[str]:
    """One line a study and row, one column a group of answers: how often they were met in training."""
    yield (
        f"Where the gain lies: SASRec, NDCG@10 {protocol}, by how often the answer was met in training (cold: 5 times"
        " at most; tail and head: the rest, halved; their shares behind the name), gain over A0:\n"
    )
    yield "| set | row | cold | tail | head |"
    yield "|---|---|---|---|---|"
    for name, report in reports.items():
        found = [one for one in _main(report).groups if one.grouping == "target" and one.protocol == protocol]
        shares = ", ".join({one.group: f"{one.users / report.users:.0%}" for one in found}.values())
        for row in WHERE:
            cells = {one.group.split()[0]: one.gain for one in found if one.row == row}
            if any(cells.values()):
                told = [_told(cells.get(group)) for group in ("cold", "tail", "head")]
                yield f"| {name} ({shares}) | {row} | {' | '.join(told)} |"
    yield ""


def left_open(report: Report) -> str:
    """Rows and students that the plan has and this report has not; a row of a teacher that is not heard is none."""
    there = {row.name for row in _main(report).rows}
    rows = [name for name, row in ROWS.items() if name not in there and row.fits(len(report.teachers))]
    students = [name for name in STUDENTS if name not in {one.student for one in report.students}]
    parts = [f"rows {', '.join(rows)} of SASRec"] if rows else []
    parts += [f"students {', '.join(students)}"] if students else []
    return f"Not trained: {'; '.join(parts)}." if parts else "All rows and students were trained."


def trained(report: Report) -> str:
    """How long the main student's steps were and when they ended, with teachers and without."""
    config = StudyConfig.model_validate(report.recipe)
    taught, alone = (_steps(config.recipe(MAIN_STUDENT, study_row(row))) for row in (FULL, BASE))
    return f"SASRec {taught}" + ("." if alone == taught else f"; without teachers {alone}.")


def at_their_limit(report: Report) -> str:
    """The rows whose every seed used all its epochs, in a report that does not tell which seeds were cut short.

    A mean number of epochs shows no single seed. Empty: there are none.
    """
    config = StudyConfig.model_validate(report.recipe)
    told = {
        student.student: [
            one.row
            for one in student.costs
            if _untold(student.row(one.row))
            and (one.epochs or 0) >= config.recipe(student.student, study_row(one.row)).fit.epochs
        ]
        for student in report.students
    }
    found = "; ".join(f"{name} {', '.join(rows)}" for name, rows in told.items() if rows)
    return f"Every seed used all its epochs, and whether more would help is not known: {found}." if found else ""


def _untold(row: RowReport | None) -> bool:
    return row is not None and row.cut_short is None


def _steps(recipe: DistillConfig) -> str:
    fit = recipe.fit
    average = f", weights averaged over {1 / (1 - fit.averaging):.0f} steps" if fit.averaging else ""
    offsets = ", with o(m) on what was seen" * recipe.repeat_offsets
    last = (
        f", and then, from the best weights, likewise by the next items alone for at most {recipe.alone_epochs} epochs"
    )
    return (
        f"in steps of {fit.learning_rate:g} over {fit.rows_per_batch:,} rows{average}, for at most {fit.epochs} epochs,"
        f" and until {fit.patience} have brought nothing{offsets}{last * bool(recipe.alone_epochs)}"
    )


def fell_apart(row: RowReport | None) -> bool:
    """Some seeds learnt and others did not: neither the mean nor a gain over it says much."""
    if row is None:
        return False
    found = row.metrics["masked"][MAIN_METRIC]
    return found.sd is not None and found.sd > found.mean / 2


def _difference(report: Report, name: str, right: str, protocol: Masking) -> str:
    """Empty where it was not measured, or where some seeds learnt nothing."""
    student = next((one for one in report.students if one.student == name), None)
    if student is None or fell_apart(student.row(FULL)) or fell_apart(student.row(right)):
        return ""
    return _gain(student, right, protocol)


def _main(report: Report) -> StudentReport:
    return next(one for one in report.students if one.student == MAIN_STUDENT)


def _mean(row: RowReport | None, protocol: Masking) -> str:
    return "" if row is None else f"{row.metrics[protocol][MAIN_METRIC].mean:.4f}".removeprefix("0")


def _gain(student: StudentReport, right: str, protocol: Masking) -> str:
    return _told(student.difference(FULL, right, protocol))


def _told(found: Estimate | None) -> str:
    return "" if found is None else f"{signed(found.estimate)} [{signed(found.low)}, {signed(found.high)}]"
