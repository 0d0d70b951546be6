from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from training.evaluation.metrics import ndcg, recall
from training.study.findings import ENSEMBLE, Findings
from training.study.report import METRICS, Report, ReportConfig, report
from training.study.significance import BootstrapConfig

QUICK = ReportConfig(bootstrap=BootstrapConfig(resamples=400, seed=1))


def test_a_line_is_the_mean_and_spread_of_its_seeds(findings: Findings, made: Report) -> None:
    row = made.students[0].row("A4")
    assert row is not None
    seeds = [ndcg(run.ranks["masked"], 10) for run in findings.of("sasrec")["A4"]]
    assert row.metrics["masked"]["ndcg@10"].mean == pytest.approx(mean(seeds))
    assert row.metrics["masked"]["ndcg@10"].sd == pytest.approx(stdev(seeds))
    assert set(row.metrics["unmasked"]) == set(METRICS)


def test_of_how_many_seeds_the_end_is_not_known(findings: Findings) -> None:
    runs = tuple(replace(one, cut_short=one.row == "A0" and one.seed != 1) for one in findings.runs)
    student = report(replace(findings, runs=runs), QUICK).students[0]
    assert {row.name: row.cut_short for row in student.rows if row.cut_short} == {"A0": 2}
    assert {row.cut_short for row in student.rows if row.kind == "student" and row.name != "A0"} == {0}
    assert {row.cut_short for row in student.rows if row.kind != "student"} == {None}


def test_references_never_hide(findings: Findings, made: Report) -> None:
    for student in made.students:
        assert {row.name for row in student.rows} == set(findings.of(student.student)) | set(findings.references)
        kinds = {row.name: row.kind for row in student.rows}
        assert (kinds["C6"], kinds["unisrec"], kinds["popularity"], kinds["C3"]) == (
            "ensemble", "teacher", "floor", "student",
        )  # fmt: skip
        assert all(student.difference(name, "A0", "unmasked") for name in findings.references)


def test_every_difference_is_the_difference_of_the_table(made: Report) -> None:
    for student in made.students:
        means = {row.name: row.metrics for row in student.rows}
        for one in student.differences:
            left, right = (means[name][one.protocol][one.metric].mean for name in (one.left, one.right))
            assert one.estimate == pytest.approx(left - right, abs=1e-12)
            assert one.low <= one.estimate <= one.high


def test_every_row_is_compared_with_a0_and_the_named_ones_with_each_other(made: Report) -> None:
    student = made.students[0]
    compared = {(one.left, one.right) for one in student.differences if one.protocol == "masked"}
    assert {(row.name, "A0") for row in student.rows if row.name != "A0"} <= compared
    best = student.best_single["masked"]
    assert {("A7", "A4"), ("A4", best), ("A7", best), ("A7", "C1"), ("A7", "C5")} <= compared


def test_the_family_of_holm_is_the_study_s_rows_and_no_reference(findings: Findings, made: Report) -> None:
    student = made.students[0]
    for one in student.differences:
        assert (one.holm_p is None) == (one.left in findings.references)
        assert one.holm_p is None or one.holm_p >= one.p


def test_the_best_single_teacher_is_the_best_of_the_test(findings: Findings, made: Report) -> None:
    for protocol, name in made.students[0].best_single.items():
        runs = findings.of("sasrec")
        found = {row: mean(ndcg(run.ranks[protocol], 10) for run in runs[row]) for row in ("A1", "A2", "A3")}
        assert found[name] == max(found.values())


@pytest.mark.parametrize("grouping", ["target", "history"])
def test_groups_hold_every_user_once_and_their_gains_add_up_to_the_whole(made: Report, grouping: str) -> None:
    student = made.students[0]
    groups = [one for one in student.groups if (one.grouping, one.row, one.protocol) == (grouping, "A7", "unmasked")]
    assert sum(one.users for one in groups) == made.users
    whole = sum(one.users * one.gain.estimate for one in groups if one.gain) / made.users
    overall = student.difference("A7", "A0", "unmasked")
    assert overall is not None
    assert whole == pytest.approx(overall.estimate)


def test_the_closed_share_is_what_its_formula_says(made: Report) -> None:
    student = made.students[0]
    share = student.closed["unmasked"]
    assert share is not None
    full, ceiling = (student.difference(name, "A0", "unmasked") for name in ("A7", ENSEMBLE))
    assert full is not None
    assert ceiling is not None
    assert share.share == pytest.approx(full.estimate / ceiling.estimate)
    assert share.low < share.share < share.high


def test_teachers_together_find_no_less_than_the_best_of_them(findings: Findings, made: Report) -> None:
    for one in made.complementarity:
        assert one.teachers[one.best] == max(one.teachers.values()) <= one.union <= sum(one.teachers.values())
        assert sum(one.found_by) == pytest.approx(1)
        assert 1 - one.found_by[0] == pytest.approx(one.union)
        assert one.ensemble == recall(findings.references[ENSEMBLE][one.protocol], 10)


def test_costs_are_against_a0(findings: Findings, made: Report) -> None:
    costs = {one.row: one for one in made.students[0].costs}
    runs = findings.of("sasrec")
    wanted = mean(run.seconds for run in runs["A7"]) / mean(run.seconds for run in runs["A0"])
    assert costs["A7"].relative_seconds == pytest.approx(wanted)
    assert costs["A0"].relative_seconds == 1
    assert (costs["A7"].epochs, costs["A7"].parameters, costs["A7"].peak_memory_mb) == (30, 382_000, 500)
    assert [one.bytes for one in made.knowledge] == [40_000_000, 80_000_000, 120_000_000]
    assert [one.cut_short for one in made.knowledge] == [True, False, None]
    assert [one.latency_ms for one in made.students] == [0.42, None]


def test_the_order_of_runs_does_not_matter(findings: Findings, made: Report) -> None:
    turned = replace(findings, runs=findings.runs[::-1])
    again = {one.student: one for one in report(turned, QUICK).students}
    for student in made.students:
        assert again[student.student] == student


def test_the_file_holds_it_all(made: Report, tmp_path: Path) -> None:
    assert made.write(tmp_path / "new").name == "report.json"
    assert Report.read(tmp_path / "new") == made


def test_what_is_not_measured_yet_is_absent_and_nothing_falls(unfinished: list[Findings]) -> None:
    for findings in unfinished:
        found = report(findings, QUICK)
        assert {row.name for one in found.students for row in one.rows if row.kind == "student"} == {
            run.row for run in findings.runs
        }
        measured = [verdict for verdict in found.verdicts if verdict.holds is not None]
        assert all("not measured" not in verdict.figures.split(";")[0] for verdict in measured)


def test_with_no_run_there_is_no_student_and_no_verdict(unfinished: list[Findings]) -> None:
    found = report(next(one for one in unfinished if not one.runs), QUICK)
    assert (found.students, found.verdicts) == ((), ())
    assert found.complementarity
