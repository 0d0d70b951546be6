"""What distillation costs beside training alone: epochs of both in turn, in one process; and the memory of the cache.

    python -m benchmarks.distill_cost --data DATA --knowledge KNOWLEDGE [--config RECIPE] [--epochs 5] [--row A7]

Epochs take turns, and processor seconds of one thread are counted, so that other work on the machine, which slows both,
does not decide. Soft targets are worked out before and told apart: they are made once for all seeds and epochs.
"""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer

from training.arithmetic import step_products, tune_processor
from training.dataset import Dataset
from training.distillation.lessons import lesson
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.tutoring import TeachingMaterial, tutoring
from training.fitting import Objective
from training.knowledge import TeacherKnowledge
from training.students.registry import student_family

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass(frozen=True, eq=False)
class Learner:
    """A student under way."""

    objective: Objective
    optimizer: torch.optim.Optimizer

    def epoch(self, number: int) -> float:
        """Processor seconds of one epoch."""
        started = time.process_time()
        for examples in self.objective.epoch(np.random.default_rng(number)):
            with step_products():
                found = self.objective.loss(self.objective.batch(examples), number)
                self.optimizer.zero_grad(set_to_none=True)
                found.mean.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        return time.process_time() - started


@app.command()
def measure(
    data: Annotated[Path, typer.Option(help="A prepared data set.")],
    knowledge: Annotated[Path, typer.Option(help="Folder that `gather` wrote.")],
    config: Annotated[Path | None, typer.Option(help="Recipe of the student.")] = None,
    epochs: Annotated[int, typer.Option(help="Of each, in turn; the first is not counted.", min=2)] = 5,
    row: Annotated[str, typer.Option(help="Against A0.")] = "A7",
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Print one JSON object."""
    tune_processor()
    torch.set_num_threads(1)
    dataset, recipe = Dataset.read(data), DistillConfig.from_toml(config)
    alone = _learner("A0", recipe, dataset, knowledge)
    memory_alone = _peak_mb()
    started = time.process_time()
    taught = _learner(row, recipe, dataset, knowledge)
    targets = time.process_time() - started
    seconds = [(alone.epoch(number), taught.epoch(number)) for number in range(1, epochs + 1)][1:]
    found = {
        "data": dataset.name,
        "row": row,
        "seconds_an_epoch_alone": median(one for one, _ in seconds),
        "seconds_an_epoch_taught": median(one for _, one in seconds),
        "ratio": median(two / one for one, two in seconds),
        "ratios": [two / one for one, two in seconds],
        "seconds_of_soft_targets": targets,
        "peak_mb_before_teachers": memory_alone,
        "peak_mb": _peak_mb(),
        "cache_mb": sum(one.entry.bytes for one in TeacherKnowledge.read(knowledge, dataset).teachers) / 1e6,
    }
    text = json.dumps(found, indent=1)
    typer.echo(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def _learner(name: str, recipe: DistillConfig, dataset: Dataset, source: Path) -> Learner:
    torch.manual_seed(0)
    row = study_row(name)
    student = student_family("sasrec").build(recipe.student, dataset)
    knowledge = None if row.teaching is None else TeacherKnowledge.read(source, dataset)
    width = student.item_matrix().shape[1]
    taught = tutoring(row, recipe, TeachingMaterial(dataset, knowledge, source / "soft-targets", width))
    objective = lesson(dataset, student, taught, recipe.fit.rows_per_batch)
    return Learner(objective, torch.optim.Adam(student.parameters(), lr=recipe.fit.learning_rate))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    app()
