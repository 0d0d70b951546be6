"""A whole study, small: trained, killed half-way, gone on with, reported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.artefacts import RECORD, WEIGHTS, read_record
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.fitting import FitConfig
from training.knowledge import TeacherKnowledge
from training.study.config import StudyConfig
from training.study.report import Report
from training.study.runs import RANKS, finding
from training.study.study import Plan, study
from training.vector_memory import TeacherMemory


@pytest.fixture(scope="module")
def config(small_encoder: CausalEncoderConfig) -> StudyConfig:
    fit = FitConfig(epochs=2, learning_rate=1e-2, rows_per_batch=512, device="cpu")
    recipe = DistillConfig(student={"encoder": small_encoder.model_dump()}, fit=fit)
    alone = recipe.model_copy(update={"fit": fit.model_copy(update={"epochs": 3})})
    return StudyConfig(students={"sasrec": recipe}, alone={"sasrec": alone})


@pytest.fixture(scope="module")
def plan(markov: Dataset, both_known: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    out = tmp_path_factory.mktemp("study")
    return Plan(markov.folder, both_known, out, rows=("A0", "A7", "C2"), seeds=2, jobs=2)


@pytest.fixture(scope="module")
def found(plan: Plan, config: StudyConfig) -> Report:
    return study(plan, config)


def test_every_row_is_trained_with_every_seed_and_stands_in_the_report(found: Report, plan: Plan) -> None:
    (student,) = found.students
    for row in plan.rows:
        line = student.row(row)
        assert line is not None
        assert line.seeds == 2
    assert student.latency_ms is not None
    assert student.latency_ms > 0
    assert found.teachers == ("unisrec", "unisrec 2")
    assert {one.name for one in student.rows} >= {"item-kNN", "last-item Markov", "popularity", "unisrec", "C6"}
    assert Report.read(plan.out) == found
    page = (plan.out / "report.html").read_text("utf-8")
    assert study_row("A7").meaning in page


def test_what_its_limit_of_epochs_ended_is_told(found: Report, plan: Plan) -> None:
    told = {row.name: row.cut_short for row in found.students[0].rows if row.kind == "student"}
    assert told == dict.fromkeys(plan.rows, 2)
    assert "2 cut short" in (plan.out / "report.html").read_text("utf-8")
    assert {one.teacher: one.cut_short for one in found.knowledge} == {"unisrec": True, "unisrec 2": True}


@pytest.mark.parametrize("noted", [True, False, None])
def test_whether_a_run_was_cut_short_is_read_off_its_record(
    found: Report,
    markov: Dataset,
    both_known: Path,
    plan: Plan,
    config: StudyConfig,
    tmp_path: Path,
    *,
    noted: bool | None,
) -> None:
    """Its curve may be of two stages, and longer than the limit of one; of old records it is all that there is."""
    assert found.users
    run = next(one for one in plan.runs(config, TeacherKnowledge.read(both_known, markov)) if one.row == "A7")
    moved = replace(run, folder=shutil.copytree(run.folder, tmp_path / "run"))
    record = json.loads((moved.folder / RECORD).read_text("utf-8"))
    (moved.folder / RECORD).write_text(json.dumps(record | {"cut_short": noted}), "utf-8")
    assert finding(moved, 2).cut_short is (noted is not False)


def test_rows_without_tutors_have_a_recipe_of_their_own(found: Report, plan: Plan) -> None:
    assert found.dataset
    lengths = {row: len(read_record(plan.out / "runs" / "sasrec" / row / "0").curve) for row in plan.rows}
    assert lengths == {"A0": 3, "A7": 2, "C2": 2}


def test_the_own_teacher_is_the_student_without_teachers_of_the_same_seed(found: Report, plan: Plan) -> None:
    assert found.users
    for seed in ("0", "1"):
        alone, own = (read_record(plan.out / "runs" / "sasrec" / row / seed) for row in ("A0", "C2"))
        assert [one.fingerprint for one in own.teachers] == [alone.weights_sha256]


def test_what_is_done_is_not_done_again_and_what_is_missing_is(found: Report, plan: Plan, config: StudyConfig) -> None:
    runs = plan.out / "runs" / "sasrec"
    unmeasured, untrained, broken = runs / "A7" / "1", runs / "A7" / "0", runs / "A0" / "1"
    lost = [unmeasured / RANKS, untrained / RANKS, broken / RANKS]  # the first as after a kill before measuring
    for one in (*lost, untrained / RECORD, broken / WEIGHTS):
        one.unlink()
    kept = {one: one.stat().st_mtime_ns for one in (*plan.out.rglob(RANKS), unmeasured / WEIGHTS)}
    again = study(plan, config)
    assert {one: one.stat().st_mtime_ns for one in kept} == kept
    assert all(one.is_file() for one in lost)
    assert again.students[0].rows == found.students[0].rows  # the same seed learns the same


def test_runs_of_another_cache_are_not_taken_for_done(
    found: Report, markov: Dataset, both_known: Path, plan: Plan, config: StudyConfig
) -> None:
    assert found.users
    knowledge = TeacherKnowledge.read(both_known, markov)
    assert all(one.done for one in plan.runs(config, knowledge))
    first, second = knowledge.teachers
    assert isinstance(second, TeacherMemory)
    asked_less = replace(second, entry=second.entry.model_copy(update={"rows": second.entry.rows - 1}))
    for teachers in ((second, first), (first, asked_less)):
        other = replace(knowledge, teachers=teachers)
        assert {one.row: one.done for one in plan.runs(config, other)} == {"A0": True, "A7": False, "C2": True}


def test_a_record_of_a_version_with_fewer_settings_is_read_with_their_defaults(
    found: Report, markov: Dataset, both_known: Path, plan: Plan, config: StudyConfig
) -> None:
    assert found.users
    run = next(one for one in plan.runs(config, TeacherKnowledge.read(both_known, markov)) if one.row == "A0")
    path = run.folder / RECORD
    kept = path.read_text("utf-8")

    def done_with(**settings: float) -> bool:
        record = json.loads(kept)
        del record["recipe"]["fit"]["averaging"]
        record["recipe"]["fit"].update(settings)
        path.write_text(json.dumps(record), "utf-8")
        return run.done

    try:
        assert (done_with(), done_with(averaging=0.5), done_with(unheard_of=1.0)) == (True, False, False)
    finally:
        path.write_text(kept, "utf-8")


def test_who_learnt_from_another_student_of_that_seed_is_not_done(
    found: Report, markov: Dataset, both_known: Path, plan: Plan, config: StudyConfig
) -> None:
    """As when A0 was trained anew by another recipe: C2 is to learn from it, not from the one before."""
    assert found.users
    runs = plan.runs(config, TeacherKnowledge.read(both_known, markov))
    taught = next(one for one in runs if one.row == "C2")
    assert taught.done
    path = taught.base / RECORD
    kept = path.read_text("utf-8")
    path.write_text(json.dumps({**json.loads(kept), "weights_sha256": "0" * 64}), "utf-8")
    try:
        assert not taught.done
    finally:
        path.write_text(kept, "utf-8")


def test_unknown_names_are_refused_before_time_is_spent(plan: Plan, config: StudyConfig, tmp_path: Path) -> None:
    for rows, students, said in (
        (("A99",), ("sasrec",), "no row is called 'A99'"),
        (("A3",), ("sasrec",), "row A3 .*: the cache holds 2 teacher"),
        (("A0",), ("gru",), "no student is called 'gru'"),
    ):
        with pytest.raises(ConfigError, match=said):
            study(Plan(plan.data, plan.knowledge, tmp_path, students, rows), config)
    assert not list(tmp_path.iterdir())


def test_what_is_done_is_told_without_training_what_is_not(
    found: Report, plan: Plan, config: StudyConfig, tmp_path: Path
) -> None:
    told = study(replace(plan, rows=("A0", "A4"), train=False), config)
    assert told.students[0].rows == found.students[0].rows
    assert not (plan.out / "runs" / "sasrec" / "A4").exists()
    nothing = study(replace(plan, out=tmp_path, train=False), config)
    assert nothing.students == ()


def test_runs_are_ranked_with_an_offset_and_say_where_they_were_trained(found: Report) -> None:
    (student,) = found.students
    for row in student.rows:
        assert row.repeat_aware is not None, row.name
        assert row.repeat_aware["ndcg@10"].mean >= 0
        assert "offset" in row.repeat_aware
    assert {device for cost in student.costs for device in cost.devices} == {"cpu"}


def test_a_run_that_was_measured_before_there_was_an_offset_is_told_without(
    plan: Plan, config: StudyConfig, found: Report
) -> None:
    path = plan.out / "runs" / "sasrec" / "A0" / "0" / "ranks.npz"
    with np.load(path) as arrays:
        old = {name: arrays[name] for name in ("unmasked", "masked")}
    np.savez(path, **old)
    (student,) = study(replace(plan, train=False), config).students
    row = student.row("A0")
    assert row is not None
    assert row.repeat_aware is None
    assert found.students[0].rows[0].metrics == row.metrics


def test_a_run_that_fails_stops_no_other_and_the_report_is_there(
    plan: Plan, config: StudyConfig, tmp_path: Path
) -> None:
    blocked = tmp_path / "runs" / "sasrec" / "A7"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no folder can be made here", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sasrec A7 seed 0 failed: .*\. The report tells what is done$"):
        study(replace(plan, out=tmp_path, rows=("A7", "A0"), seeds=1, jobs=1), config)
    (student,) = Report.read(tmp_path).students
    assert student.row("A0") is not None
