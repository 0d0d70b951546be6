"""The step `study`: rows x students x seeds, resumable, in several processes, and one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from training.config import ConfigError
from training.dataset import Dataset
from training.devices import pick_device
from training.distillation.distill import load_student
from training.distillation.rows import ROWS, study_row
from training.evaluation.baselines import Popularity
from training.evaluation.scoring import served_scorer
from training.knowledge import TeacherKnowledge
from training.students.registry import student_family
from training.study.config import StudyConfig
from training.study.findings import Findings, KnowledgeCost, RunFinding
from training.study.fresh_processes import Work, in_fresh_processes
from training.study.latency import latency_ms
from training.study.page import write_page
from training.study.references import names, references
from training.study.report import Report, report
from training.study.runs import SELF_TAUGHT, Run, carry_out, finding
from training.teacher_entry import TeacherEntry

RUNS = "runs"


@dataclass(frozen=True)
class Plan:
    """What a study is about."""

    data: Path
    knowledge: Path
    out: Path
    students: tuple[str, ...] = ("sasrec",)
    rows: tuple[str, ...] = ()
    """Empty: every row that the cache has teachers for."""
    seeds: int = 3
    jobs: int = 1
    """Runs side by side."""
    train: bool = True
    """False: what is done is told, and nothing is trained."""

    def runs(self, config: StudyConfig, knowledge: TeacherKnowledge) -> list[Run]:
        """All of them, first seeds first, so that an interrupted study has something of every row.

        Raises:
            ConfigError: no such student or row, or a row that wants a teacher that is not there.
        """
        sources = tuple(one.entry.source for one in knowledge.teachers)
        teachers = len(sources)
        rows = self.rows or tuple(name for name, row in ROWS.items() if row.fits(teachers))
        for row in rows:
            if not study_row(row).fits(teachers):
                raise ConfigError(f"row {row} ({study_row(row).meaning}): the cache holds {teachers} teacher(s)")
        return [
            Run(
                student=student_family(student).name,
                row=row,
                recipe=config.recipe(student, study_row(row)).seeded(seed),
                data=self.data,
                knowledge=self.knowledge,
                folder=self.out / RUNS / student / row / str(seed),
                teachers=sources,
            )
            for seed in range(self.seeds)
            for student in self.students
            for row in rows
        ]


def study(plan: Plan, config: StudyConfig) -> Report:
    """Train what is not trained yet, measure, and write report.json, report.html and the plots.

    Raises:
        ConfigError: an unknown name, a row that does not fit; or, when the report is written, that runs failed.
        ArtefactError: the knowledge is not of the data set.
    """
    dataset = Dataset.read(plan.data)
    knowledge = TeacherKnowledge.read(plan.knowledge, dataset)
    runs = plan.runs(config, knowledge) if plan.train else []
    others, self_taught = ([one for one in runs if (one.row == SELF_TAUGHT) is which] for which in (False, True))
    failed = [said for part in (others, self_taught) if (said := _carry_out(part, plan.jobs))]
    made = summarise(plan, config, (dataset, knowledge))
    if failed:
        raise ConfigError(f"{'; '.join(failed)}. The report tells what is done")
    return made


def summarise(plan: Plan, config: StudyConfig, source: tuple[Dataset, TeacherKnowledge]) -> Report:
    """The report over every run of the study's folder that is done, those of an earlier plan included."""
    dataset, knowledge = source
    every = Plan(plan.data, plan.knowledge, plan.out, _kept(plan.out / RUNS), (), _seeds(plan.out / RUNS))
    runs = [one for one in every.runs(config, knowledge) if one.done]
    found = findings(dataset, knowledge, [finding(one, len(knowledge.teachers)) for one in runs], config)
    found = replace(found, latency_ms=latencies(dataset, runs))
    made = report(found, config.report)
    made.write(plan.out)
    write_page(found, made, plan.out)
    return made


def findings(
    dataset: Dataset, knowledge: TeacherKnowledge, runs: Sequence[RunFinding], config: StudyConfig
) -> Findings:
    """Runs and what stands beside them, as one value."""
    rows = dataset.split.test.row  # [E]
    interactions = dataset.interactions
    count = Popularity.fit(interactions, dataset.split, len(dataset.catalog)).count  # [N+1]
    teachers = names(knowledge)
    costs = zip(teachers, knowledge.teachers, strict=True)
    plain, aware = references(dataset, knowledge, pick_device(config.device))
    return Findings(
        dataset=dataset.name,
        split=dataset.split.name,
        teachers=teachers,
        runs=tuple(runs),
        history_length=rows - interactions.offsets[interactions.user[rows]],
        target_popularity=count[interactions.item[rows]].astype(np.int64),
        references=plain,
        repeat_aware=aware,
        knowledge=tuple(_cost(name, one.entry) for name, one in costs),
        published=config.published,
        config=config.model_dump(mode="json"),
    )


def _cost(name: str, entry: TeacherEntry) -> KnowledgeCost:
    return KnowledgeCost(name, entry.bytes, entry.seconds, entry.cut_short)


def latencies(dataset: Dataset, runs: Sequence[Run]) -> dict[str, float]:
    """Student -> milliseconds for one request. Its rows differ in nothing that costs time then: one is asked."""
    of = {one.student: one for one in reversed(runs)}
    return {name: latency_ms(served_scorer(load_student(run.folder, dataset)[0]), dataset) for name, run in of.items()}


def _carry_out(runs: Sequence[Run], jobs: int) -> str | None:
    """What is not done yet; which failed, None: none of them."""
    works = [Work(one.label, one.folder, partial(carry_out, one)) for one in runs if not one.done]
    try:
        in_fresh_processes("study", works, jobs, done_before=len(runs) - len(works))
    except ConfigError as error:
        return str(error)
    return None


def _kept(folder: Path) -> tuple[str, ...]:
    """Students that have runs, those of the command line and of earlier ones."""
    return tuple(sorted(one.name for one in folder.iterdir() if one.is_dir())) if folder.is_dir() else ()


def _seeds(folder: Path) -> int:
    """One more than the largest seed."""
    found = [int(one.name) for one in folder.glob("*/*/*") if one.name.isdigit()]
    return max(found, default=-1) + 1
