"""The pages of the studies say what is stored, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.studies import CONFIGS, PLANS, recipes
from benchmarks.study_page import page_text, stored, write_page
from benchmarks.study_summary import at_their_limit, by_popularity, by_student, left_open, trained
from benchmarks.study_tables import study_text
from benchmarks.study_words import PICTURED, WITHDRAWN
from benchmarks.teachers import TARGETS
from training.distillation.recipe import DistillConfig
from training.distillation.rows import ROWS, study_row
from training.study.config import StudyConfig
from training.study.report import Report

RESULTS, DOCS = Path("benchmarks/results/studies"), Path("docs")


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return stored(RESULTS)


def test_the_pages_are_written_from_the_stored_reports(reports: dict[str, Report]) -> None:
    assert reports
    wanted = {DOCS / "studies.md": page_text(reports)}
    wanted |= {DOCS / "studies" / f"{name}.md": study_text(name, one) for name, one in reports.items()}
    for path, text in wanted.items():
        assert path.read_text("utf-8") == text, "run: python -m benchmarks.studies page"
    assert {*(DOCS / "studies").iterdir()} == {*wanted} - {DOCS / "studies.md"}
    assert (DOCS / "img" / "studies.png").is_file()


@pytest.mark.parametrize("kept_as", sorted(PLANS))
def test_a_study_that_is_planned_has_recipes_which_choose_as_it_says(kept_as: str) -> None:
    name = next(one for one in TARGETS if kept_as.startswith(one))
    found = StudyConfig.from_toml(recipes(name, kept_as))
    as_served = kept_as.endswith("_as_served")
    assert found.report.headline == ("masked" if as_served else "unmasked")
    for one in (*found.students.values(), *found.alone.values(), *found.begun.values()):
        assert one.select_on == found.report.headline, "tables of rows that were chosen by different figures"


def test_the_command_of_a_stored_study_trains_with_the_recipes_that_made_it(reports: dict[str, Report]) -> None:
    for kept_as, report in reports.items():
        name = next(one for one in TARGETS if kept_as.startswith(one))
        made_with = StudyConfig.model_validate(report.recipe)
        assert StudyConfig.from_toml(recipes(name, kept_as)) == made_with, kept_as


def test_the_plan_of_a_stored_study_has_every_row_that_the_study_has(reports: dict[str, Report]) -> None:
    for kept_as, report in reports.items():
        for student in report.students:
            parts = [part for part in PLANS[kept_as] if student.student in part.students]
            planned = {row for part in parts for row in part.rows or ROWS}
            found = {one.name for one in student.rows if one.kind == "student"}
            assert found <= planned, (kept_as, student.student, found - planned)


def test_a_report_is_of_rows_that_there_are_and_of_several_seeds(reports: dict[str, Report]) -> None:
    for report in reports.values():
        (sasrec,) = (one for one in report.students if one.student == "sasrec")
        rows = {one.name: one.seeds for one in sasrec.rows if one.kind == "student"}
        assert {"A0", "A4", "A7"} <= set(rows) <= set(ROWS), report.dataset
        assert min(rows[name] for name in ("A0", "A4", "A7")) >= 2, report.dataset


def test_every_study_is_in_the_menu(reports: dict[str, Report]) -> None:
    menu = Path("mkdocs.yml").read_text("utf-8")
    assert [name for name in reports if f": studies/{name}.md\n" not in menu] == []


def test_a_report_that_says_something_else_is_noticed(reports: dict[str, Report]) -> None:
    name, first = next(iter(reports.items()))
    changed = first.model_copy(update={"users": first.users + 1})
    assert study_text(name, changed) != (DOCS / "studies" / f"{name}.md").read_text("utf-8")
    fewer = {one: report for one, report in reports.items() if one != name}
    assert page_text(fewer) != (DOCS / "studies.md").read_text("utf-8")


def test_the_page_of_a_study_that_is_not_stored_any_more_goes(reports: dict[str, Report], tmp_path: Path) -> None:
    results, docs = tmp_path / "results", tmp_path / "docs"
    (docs / "img").mkdir(parents=True)
    two = {name: one for name, one in reports.items() if name == one.dataset}
    for name in two:
        reports[name].write(results / name)
    write_page(results, docs)
    assert not (docs / "img" / "studies.png").exists(), "none of these is pictured"
    gone, *kept = two
    (results / gone / "report.json").unlink()
    write_page(results, docs)
    assert sorted(one.stem for one in (docs / "studies").iterdir()) == sorted(kept)
    assert gone not in (docs / "studies.md").read_text("utf-8").partition("Written by")[2].replace(f"{gone}_", "")


def test_a_row_whose_training_was_cut_short_says_so(reports: dict[str, Report]) -> None:
    name, first = next(iter(reports.items()))
    students = tuple(
        one.model_copy(
            update={
                "rows": tuple(
                    row.model_copy(update={"cut_short": int(row.name == "A0"), "seeds": 3}) for row in one.rows
                )
            }
        )
        for one in first.students
    )
    text = study_text(name, first.model_copy(update={"students": students}))
    assert text.count(" of 3 seeds cut short)") == len(students)
    assert "| A0, no distillation (1 of 3 seeds cut short) |" in text


def test_teachers_that_were_cut_short_are_named(reports: dict[str, Report]) -> None:
    name, first = next(iter(reports.items()))
    untold = tuple(one.model_copy(update={"cut_short": None}) for one in first.knowledge)
    assert "may know less than they could" not in study_text(name, first.model_copy(update={"knowledge": untold}))
    held = tuple(one.model_copy(update={"cut_short": number < 2}) for number, one in enumerate(first.knowledge))
    early = ", ".join(one.teacher for one in held[:2])
    text = study_text(name, first.model_copy(update={"knowledge": held}))
    assert f"ended by their limit of epochs, and may know less than they could: {early}.\n" in text


def test_a_study_that_is_withdrawn_has_a_page_and_stands_in_no_comparison(reports: dict[str, Report]) -> None:
    text = page_text(reports)
    assert set(reports) >= WITHDRAWN
    for name in WITHDRAWN:
        lines = [line for line in text.splitlines() if line.startswith("|") and name in re.split(r"[|\[\]() ]+", line)]
        (line,) = lines
        assert f"](studies/{name}.md) (withdrawn: no gain is to be read in it) |" in line
        assert "No gain should be read here" in study_text(name, reports[name])


def test_what_is_pictured_is_one_study_of_each_set_and_none_that_is_withdrawn(reports: dict[str, Report]) -> None:
    sets = [reports[name].dataset for name in PICTURED]
    assert len(sets) == len(set(sets)) > 1
    assert not WITHDRAWN & set(PICTURED)


def test_what_is_open_is_what_could_be_trained(reports: dict[str, Report]) -> None:
    whole = reports["amazon_office_2014_three_teachers"]
    assert "A16" not in left_open(whole), "the row of a fourth teacher"
    without = tuple(
        one.model_copy(update={"rows": tuple(row for row in one.rows if row.name != "A7")}) for one in whole.students
    )
    assert "rows A7, A19, C11 of SASRec" in left_open(whole.model_copy(update={"students": without}))


def test_how_it_was_trained_is_told_with_teachers_and_without(reports: dict[str, Report]) -> None:
    report = reports["movies_ml1m"]  # there, steps without teachers are shorter
    recipe = {**report.recipe, "students": {"sasrec": {"fit": {"epochs": 9, "patience": 4, "averaging": 0.98}}}}
    said = trained(report.model_copy(update={"recipe": recipe}))
    assert "over 2,048 rows, weights averaged over 50 steps, for at most 9 epochs, and until 4" in said
    assert said.endswith(
        "without teachers in steps of 0.001 over 8,192 rows, for at most 40 epochs, and until 5 have brought nothing."
    )


def test_teachers_that_mind_repeats_are_told(reports: dict[str, Report]) -> None:
    report = reports["movies_ml1m"]
    assert "o(m)" not in trained(report)
    recipe = json.loads(json.dumps(report.recipe))
    recipe["students"]["sasrec"]["repeat_offsets"] = True
    found = trained(report.model_copy(update={"recipe": recipe}))
    assert found.index("with o(m) on what was seen") < found.index("without teachers")


def test_the_recipe_whose_cost_was_measured_is_that_of_the_study() -> None:
    alone = DistillConfig.from_toml(CONFIGS / "amazon_scientific" / "sasrec-closer.toml")
    whole = StudyConfig.from_toml(recipes("amazon_scientific", "amazon_scientific_closer"))
    assert whole.recipe("sasrec", study_row("A7")) == alone


def test_a_last_stage_alone_is_told(reports: dict[str, Report]) -> None:
    report = reports["movies_ml1m"]
    assert "by the next items alone" not in trained(report)
    recipe = json.loads(json.dumps(report.recipe))
    recipe["students"]["sasrec"]["alone_epochs"] = 7
    last = "and then, from the best weights, likewise by the next items alone for at most 7 epochs; without teachers"
    assert last in trained(report.model_copy(update={"recipe": recipe}))


def test_rows_that_ran_to_their_limit_of_epochs_are_told(reports: dict[str, Report]) -> None:
    report = reports["online_retail"]
    assert at_their_limit(report).endswith(": deepfm A0, A1, A4, A7, A16.")
    recipe = json.loads(json.dumps(report.recipe))
    recipe["alone"]["deepfm"] = {"fit": {"epochs": 99}}
    assert at_their_limit(report.model_copy(update={"recipe": recipe})).endswith(": deepfm A1, A4, A7, A16.")
    recipe["students"]["deepfm"]["fit"]["epochs"] += 1
    assert at_their_limit(report.model_copy(update={"recipe": recipe})) == ""


def test_what_is_told_of_each_seed_or_not_known_is_not_told_of_their_mean(reports: dict[str, Report]) -> None:
    report = reports["online_retail"]
    (deepfm,) = (one for one in report.students if one.student == "deepfm")
    told = tuple(row.model_copy(update={"cut_short": 1}) for row in deepfm.rows)
    unknown = tuple(one.model_copy(update={"epochs": None}) for one in deepfm.costs)
    for changed in ({"rows": told}, {"costs": unknown}):
        assert at_their_limit(report.model_copy(update={"students": (deepfm.model_copy(update=changed),)})) == ""
    assert at_their_limit(report.model_copy(update={"students": (deepfm,)})) != ""


def test_where_the_gain_lies_is_told_of_the_groups_that_a_report_has(reports: dict[str, Report]) -> None:
    name = "amazon_office_2014_three_teachers"
    lines = [one for one in by_popularity({name: reports[name]}) if one.startswith(f"| {name}")]
    assert [one.split("|")[2].strip() for one in lines] == ["A4", "A7", "A15", "C8"]
    sasrec = next(one for one in reports[name].students if one.student == "sasrec")
    wanted = next(
        one.gain
        for one in sasrec.groups
        if (one.row, one.protocol, one.group.split()[0]) == ("C8", "masked", "cold") and one.gain
    )
    assert f"{wanted.estimate:+.4f}".replace("0.", ".") in lines[-1].split("|")[3]


def test_every_student_is_told_of_and_one_that_fell_apart_is_not(reports: dict[str, Report]) -> None:
    name, first = next((name, one) for name, one in reports.items() if name == one.dataset)
    lines = list(by_student({name: first}))
    told = {
        student.student for student in first.students if any(f"| {student.student} | A7 − A4" in line for line in lines)
    }
    assert "sasrec" in told
    sasrec = next(one for one in first.students if one.student == "sasrec")
    row = sasrec.row("A7")
    assert row is not None
    apart = row.metrics["masked"]["ndcg@10"].model_copy(update={"sd": row.metrics["masked"]["ndcg@10"].mean})
    broken = row.model_copy(update={"metrics": {**row.metrics, "masked": {**row.metrics["masked"], "ndcg@10": apart}}})
    rows = tuple(broken if one.name == "A7" else one for one in sasrec.rows)
    students = tuple(one.model_copy(update={"rows": rows}) if one is sasrec else one for one in first.students)
    assert not any("sasrec" in line for line in by_student({name: first.model_copy(update={"students": students})}))
