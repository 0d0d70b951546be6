"""The step `search`: a grid of recipes, judged on the selection half of validation. Test users are never looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from pydantic import Field, JsonValue

from training.artefacts import RECORD, read_record
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.progress import progress_bar

RESULT = "search.json"


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


class SearchResult(Config):
    """`search.json`."""

    student: str
    row: str
    data: str
    trials: tuple[Trial, ...]
    """Best first."""
    best: DistillConfig


@dataclass(frozen=True)
class SearchPlan:
    """Who searches what, and where it is kept."""

    assignment: Assignment
    data: Path
    out: Path
    jobs: int = 1


def search(plan: SearchPlan, config: SearchConfig) -> SearchResult:
    """Train every point that is not trained yet, and say which is best on validation.

    Raises:
        ConfigError: a point that is no recipe.
    """
    points = config.points()
    recipes = [config.recipe(point) for point in points]  # all are checked before time is spent
    todo = list(zip(recipes, _folders(plan, recipes), strict=True))
    with (
        progress_bar("search", len(todo)) as bar,
        ProcessPoolExecutor(plan.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        for future in as_completed(pool.submit(_try, plan, recipe, folder) for recipe, folder in todo):
            bar.advance(f"validation {future.result():.4f}")
    trials = sorted(_trials(points, _folders(plan, recipes)), key=lambda one: -one.validation)
    result = SearchResult(
        student=plan.assignment.family,
        row=plan.assignment.row,
        data=Dataset.read(plan.data).name,
        trials=tuple(trials),
        best=config.recipe(trials[0].point),
    )
    (plan.out / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


def _folders(plan: SearchPlan, recipes: Sequence[DistillConfig]) -> list[Path]:
    return [plan.out / "trials" / recipe.hash[:16] for recipe in recipes]


def _try(plan: SearchPlan, recipe: DistillConfig, folder: Path) -> float:
    """Train one point in this process, unless it is there: its validation value."""
    if not (folder / RECORD).is_file():
        if plan.jobs > 1:
            torch.set_num_threads(1)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.txt").open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
            distill(plan.assignment, Dataset.read(plan.data), recipe, folder)
    record = read_record(folder)
    return record.curve[record.best_epoch - 1].validation


def _trials(points: Sequence[dict[str, JsonValue]], folders: Sequence[Path]) -> Iterator[Trial]:
    for point, folder in zip(points, folders, strict=True):
        record = read_record(folder)
        best = record.curve[record.best_epoch - 1]
        yield Trial(point=point, validation=best.validation, best_epoch=best.epoch, seconds=record.seconds)
