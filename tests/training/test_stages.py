"""Trainings that follow each other: each from the best weights of the ones before, none makes anything worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.fitting import STATE, FitConfig, Fitted, StepLoss, Task, forget
from training.stages import fit_stages

Stages = Iterator[tuple[Task, FitConfig]]


@dataclass
class Towards:
    """Steps of .1 towards a number; the validation value is how near the model is to `best`."""

    model: nn.Module
    weight: nn.Parameter
    goal: float
    best: float = 1.0
    began: list[float] = field(default_factory=list)
    killed_in: int = 0

    @property
    def task(self) -> Task:
        return Task(f"to {self.goal}", self.model, self, lambda: -abs(self.weight.item() - self.best), f"{self.goal}")

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        del rng
        return [np.arange(1)]

    def batch(self, examples: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(examples)

    def loss(self, batch: Tensor, epoch: int) -> StepLoss:
        if epoch == self.killed_in:
            raise KeyboardInterrupt
        self.began.append(self.weight.item())
        return StepLoss((self.weight - self.goal).abs().sum(), len(batch))


def number() -> tuple[nn.Module, nn.Parameter]:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model, next(model.parameters())


def steps(epochs: int, patience: int = 3) -> FitConfig:
    return FitConfig(epochs=epochs, patience=patience, learning_rate=0.1, device="cpu")


def values(fitted: Fitted) -> list[float]:
    return [round(one.validation, 3) for one in fitted.curve]


def test_a_stage_begins_where_the_one_before_was_best(tmp_path: Path) -> None:
    model, weight = number()
    first, then = Towards(model, weight, 2.0, best=0.5), Towards(model, weight, 2.0, best=0.85)
    fitted = fit_stages(iter([(first.task, steps(20)), (then.task, steps(20))]), tmp_path)
    assert then.began[0] == pytest.approx(0.5, abs=0.01)  # and not .8, where patience ended the first
    assert weight.item() == pytest.approx(0.5, abs=0.01)  # the second came no nearer to its goal than .05
    assert [one.epoch for one in fitted.curve] == list(range(1, len(fitted.curve) + 1))
    assert len(fitted.curve) == len(first.began) + len(then.began) == 8 + 7
    assert [one.stage for one in fitted.curve] == [1] * 8 + [2] * 7
    assert fitted.best_epoch == 5
    assert fitted.seconds == pytest.approx(sum(one.seconds for one in fitted.curve))


def test_what_brings_something_better_is_kept(tmp_path: Path) -> None:
    model, weight = number()
    stages = iter([(Towards(model, weight, 0.4).task, steps(20)), (Towards(model, weight, 2.0).task, steps(20))])
    fitted = fit_stages(stages, tmp_path)
    assert weight.item() == pytest.approx(1.0, abs=0.02)
    assert fitted.best.validation == max(one.validation for one in fitted.curve) == pytest.approx(0, abs=0.02)
    assert fitted.best_epoch > 4


def test_what_brings_nothing_better_is_told_and_not_kept(tmp_path: Path) -> None:
    model, weight = number()
    stages = iter([(Towards(model, weight, 1.0).task, steps(10)), (Towards(model, weight, -9.0).task, steps(5))])
    fitted = fit_stages(stages, tmp_path)
    assert weight.item() == pytest.approx(1.0, abs=0.05)
    assert fitted.best_epoch <= 10 < len(fitted.curve)
    assert values(fitted)[-1] < -0.2


def test_of_two_that_are_as_good_the_later_is_kept(tmp_path: Path) -> None:
    model, weight = number()

    def stage(goal: float) -> tuple[Task, FitConfig]:
        return replace(Towards(model, weight, goal).task, validate=lambda: 0.5), steps(4)

    fitted = fit_stages(iter([stage(0.4), stage(2.0)]), tmp_path)
    assert weight.item() == pytest.approx(0.2, abs=0.01)  # a step from where the first was best, after one of its own
    assert fitted.best_epoch == 5


def test_a_later_stage_may_train_a_part(tmp_path: Path) -> None:
    model, weight = number()
    whole = nn.ModuleList([model, nn.Linear(1, 1)])
    stages = iter([(Towards(whole, weight, 1.0).task, steps(10)), (Towards(model, weight, -9.0).task, steps(5))])
    fit_stages(stages, tmp_path)
    assert weight.item() == pytest.approx(1.0, abs=0.05)


def test_a_stage_is_made_when_the_one_before_has_ended(tmp_path: Path) -> None:
    model, weight = number()
    seen: list[float] = []

    def stages() -> Stages:
        yield Towards(model, weight, 0.5).task, steps(5)
        seen.append(weight.item())
        yield Towards(model, weight, 2.0).task, steps(3)

    fit_stages(stages(), tmp_path)
    assert seen == [pytest.approx(0.5, abs=0.02)]


@pytest.mark.parametrize("killed", [1, 2])
def test_a_kill_goes_on_where_it_was(tmp_path: Path, killed: int) -> None:
    def stages(*, killed_in: int = 0) -> Iterator[Towards]:
        model, weight = number()
        yield Towards(model, weight, 0.4, killed_in=killed_in if killed == 1 else 0)
        yield Towards(model, weight, 2.0, killed_in=killed_in if killed == 2 else 0)

    def run(made: list[Towards], folder: Path) -> Fitted:
        return fit_stages(((one.task, steps(6, 6)) for one in made), folder)

    whole = run(list(stages()), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(list(stages(killed_in=4)), tmp_path / "killed")
    again = list(stages())
    fitted = run(again, tmp_path / "killed")
    assert values(fitted) == values(whole)
    assert [len(one.began) for one in again] == ([3, 6] if killed == 1 else [0, 3])
    forget(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob(STATE))


@pytest.mark.parametrize(("first", "then", "short"), [(3, 30, True), (30, 2, True), (30, 30, False)])
def test_any_stage_that_was_cut_short_cuts_the_whole_short(
    tmp_path: Path, first: int, then: int, *, short: bool
) -> None:
    model, weight = number()
    stages = iter([(Towards(model, weight, 2.0).task, steps(first)), (Towards(model, weight, 2.0).task, steps(then))])
    assert fit_stages(stages, tmp_path).cut_short is short


def test_no_stage_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: a training of no stage"):
        fit_stages(iter([]), tmp_path)
