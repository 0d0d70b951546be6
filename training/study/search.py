"""The step `search`: a grid of recipes, judged on the selection half of validation. Test users are never looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from pydantic import Field, JsonValue

from training.arrays import fingerprint
from training.artefacts import RECORD, Lineage, ModelRecord, TeacherSource, read_record
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.evaluation.evaluate import load_model
from training.evaluation.ranking import Masking
from training.evaluation.selection import validation_by_protocol
from training.knowledge import TeacherKnowledge
from training.lineage import lineage_of
from training.study.fresh_processes import Work, in_fresh_processes
from training.study.runs import heard_by, hears, needs_teachers

RESULT = "search.json"
TRIALS = "trials"
TRIAL = "trial.json"
"""In the folder of each trial: what is said of it."""
SEED = "fit.seed"
"""In a grid: how often each recipe is tried. Its mean is judged, and the luck of one seed wins nothing."""


class SearchConfig(Config):
    """What is searched."""

    base: DistillConfig = Field(default_factory=DistillConfig)
    """What all recipes have in common."""
    grid: dict[str, list[JsonValue]] = Field(min_length=1)
    """Dotted path in the recipe, such as "student.encoder.dropout", -> the values to try; all combinations are."""

    def points(self) -> list[dict[str, JsonValue]]:
        """Every combination."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def recipe(self, point: Mapping[str, JsonValue]) -> DistillConfig:
        """The recipe at a point.

        Raises:
            ConfigError: a path that no recipe has, or a bad value.
        """
        values = self.base.model_dump(mode="json")
        for path, value in point.items():
            *parents, last = path.split(".")
            inner = values
            for name in parents:
                inner = inner.setdefault(name, {})
                if not isinstance(inner, dict):
                    raise ConfigError(f"grid: {path}: {name} has no parts")
            inner[last] = value
        return DistillConfig.from_values(values, f"grid {dict(point)}")


class Trial(Config):
    """One point."""

    point: dict[str, JsonValue]
    validation: float
    """NDCG@10 on the selection half of the validation users, at the best epoch."""
    best_epoch: int
    seconds: float
    by_protocol: dict[Masking, float] = Field(default_factory=dict)
    """The same of the weights that were kept, with what users have seen among the candidates and without: recipes that
    push down what was seen win the first and may lose the second. Empty in results of before it was told."""
    weights_sha256: str = ""
    """Of the student that it tells of; empty in results of before it was noted."""


class SearchResult(Config):
    """`search.json`."""

    student: str
    row: str
    data: str
    trials: tuple[Trial, ...]
    """Best first."""
    best: DistillConfig
    """Of the best mean over seeds, with the seed of the base where the grid names several."""


@dataclass(frozen=True)
class SearchPlan:
    """Who searches what, and where it is kept."""

    assignment: Assignment
    data: Path
    out: Path
    jobs: int = 1


@dataclass(frozen=True)
class _Lesson:
    """What all trials of a search have in common: of another row, other teachers or other data it is none of them."""

    assignment: Assignment
    teachers: tuple[TeacherSource, ...]
    """Of the whole cache; empty where the row learns from none."""
    data: Lineage

    @classmethod
    def of(cls, assignment: Assignment, dataset: Dataset) -> _Lesson:
        cache = assignment.knowledge if needs_teachers(assignment.row) else None
        known = TeacherKnowledge.read(cache, dataset).teachers if cache is not None else ()
        return cls(assignment, tuple(one.entry.source for one in known), lineage_of(dataset))

    def folder(self, recipe: DistillConfig) -> str:
        """The name of a trial's folder; teachers that are not heard are nothing to it."""
        heard = heard_by(self.assignment.row, self.teachers)
        who = {f"teacher {number}": one.model_dump_json() for number, one in enumerate(heard)}
        what = {"student": self.assignment.family, "row": self.assignment.row, "data": self.data.hash}
        return fingerprint({"recipe": recipe.hash, **what, **who})[:16]

    def made(self, folder: Path, recipe: DistillConfig) -> bool:
        """Whether a student lies there that learnt this, by a recipe."""
        if not (folder / RECORD).is_file():
            return False
        record = read_record(folder)
        return recipe.made(record) and self.learnt_by(record)

    def learnt_by(self, record: ModelRecord) -> bool:
        """Whether a student learnt this."""
        same = (record.name, record.row, record.data) == (self.assignment.family, self.assignment.row, self.data)
        return same and hears(record, self.assignment.row, self.teachers)


def search(plan: SearchPlan, config: SearchConfig) -> SearchResult:
    """Train every point that is not trained yet, and say which is best on validation.

    Raises:
        ConfigError: a point that is no recipe, or a training that failed; its log is named.
        ArtefactError: the knowledge is not of the data set.
    """
    points = config.points()
    recipes = [config.recipe(point) for point in points]  # all are checked before time is spent
    dataset = Dataset.read(plan.data)
    lesson = _Lesson.of(plan.assignment, dataset)
    folders = _folders(plan.out / TRIALS, recipes, lesson)
    works = [
        Work(f"{point}", folder, partial(_train, plan, recipe, folder))
        for point, recipe, folder in zip(points, recipes, folders, strict=True)
        if not lesson.made(folder, recipe)
    ]
    in_fresh_processes("search", works, plan.jobs, done_before=len(recipes) - len(works))
    trials = sorted(_trials(points, folders, dataset), key=lambda one: -one.validation)
    result = SearchResult(
        student=plan.assignment.family,
        row=plan.assignment.row,
        data=dataset.name,
        trials=tuple(trials),
        best=config.recipe(best_point(trials)),
    )
    (plan.out / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


def _folders(trials: Path, recipes: Sequence[DistillConfig], lesson: _Lesson) -> list[Path]:
    """Of each recipe: where what it made lies, also if an older version, which named it otherwise, put it there."""
    there = [one.parent for one in sorted(trials.glob(f"*/{RECORD}"))]
    return [
        _folder(trials / lesson.folder(recipe), [one for one in there if lesson.made(one, recipe)])
        for recipe in recipes
    ]


def _folder(named: Path, made: Sequence[Path]) -> Path:
    return named if named in made or not made else made[0]


def best_point(trials: Sequence[Trial]) -> dict[str, JsonValue]:
    """Where the mean of the validation over seeds is highest; seeds are left out of it."""
    values: dict[str, list[Trial]] = {}
    for one in trials:
        values.setdefault(repr(_without_seed(one)), []).append(one)
    best = max(values.values(), key=lambda group: fmean(one.validation for one in group))
    return _without_seed(best[0])


def _without_seed(trial: Trial) -> dict[str, JsonValue]:
    return {path: value for path, value in trial.point.items() if path != SEED}


def _train(plan: SearchPlan, recipe: DistillConfig, folder: Path) -> None:
    distill(plan.assignment, Dataset.read(plan.data), recipe, folder)


def _trials(points: Sequence[dict[str, JsonValue]], folders: Sequence[Path], dataset: Dataset) -> Iterator[Trial]:
    for point, folder in zip(points, folders, strict=True):
        told = folder / TRIAL
        if not told.is_file() or _told(told).weights_sha256 != read_record(folder).weights_sha256:
            unfinished = told.with_suffix(".partial")
            unfinished.write_text(_trial(point, folder, dataset).model_dump_json(indent=1) + "\n", encoding="utf-8")
            unfinished.replace(told)  # whole, or not there: a search that is killed here goes on
        yield _told(told).model_copy(update={"point": point})


def _told(path: Path) -> Trial:
    return Trial.model_validate_json(path.read_bytes())


def _trial(point: dict[str, JsonValue], folder: Path, dataset: Dataset) -> Trial:
    record = read_record(folder)
    best = record.curve[record.best_epoch - 1]
    return Trial(
        point=point,
        validation=best.validation,
        best_epoch=best.epoch,
        seconds=record.seconds,
        by_protocol=validation_by_protocol(load_model(folder, dataset), dataset),
        weights_sha256=record.weights_sha256,
    )
