"""A training that was killed and goes on gives what it would have given: bit for bit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import ConfigError
from training.fitting import STATE, Diverged, FitConfig, Fitted, Objective, StepLoss, Task, fit, forget

CONFIG = FitConfig(epochs=6, patience=6, learning_rate=0.05, device="cpu")


class Killed(Exception):
    """Stands for the power going off."""


class Regression:
    """A network with dropout that learns a line; its examples are 20 points, in other steps every epoch."""

    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(3))

    def __init__(self, *, killed_in: int = 0, values: list[float] | None = None) -> None:
        torch.manual_seed(11)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.killed_in, self.values = killed_in, values
        self.validated: list[dict[str, Tensor]] = []
        self.epochs_run: list[int] = []

    @property
    def task(self) -> Task:
        return Task("a line", self.model, self, self._validate if self.values else None)

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        return np.split(rng.permutation(20), [8, 16])

    def batch(self, examples: NDArray[np.int64]) -> Tensor:
        return self.points[torch.from_numpy(examples)]

    def loss(self, batch: Tensor, epoch: int) -> StepLoss:
        if epoch == self.killed_in and len(batch) == 4:  # in the middle of the epoch
            raise Killed
        self.epochs_run.append(epoch)
        assert self.model.training
        return StepLoss((self.model(batch) - batch.sum(dim=1, keepdim=True)).square().mean(), len(batch))

    def _validate(self) -> float:
        assert not self.model.training
        assert not torch.is_grad_enabled()
        self.validated.append({name: one.clone() for name, one in self.model.state_dict().items()})
        assert self.values is not None
        return self.values[self.epochs_run[-1] - 1]


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def curve(fitted: Fitted) -> list[tuple[int, float, float]]:
    return [(one.epoch, one.loss, one.validation) for one in fitted.curve]


@pytest.mark.parametrize("killed_in", [1, 2, 6])
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_training_goes_on_as_if_it_had_not_been_killed(tmp_path: Path, killed_in: int, averaging: float) -> None:
    config = CONFIG.model_copy(update={"averaging": averaging})
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] if averaging else None  # the last is kept: an average over all of them
    whole, killed, resumed = (Regression(killed_in=one, values=values) for one in (0, killed_in, 0))
    wanted = fit(whole.task, config, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(killed.task, config, tmp_path / "killed")
    torch.randn(99)  # another process has another random state
    found = fit(resumed.task, config, tmp_path / "killed")
    assert curve(found) == curve(wanted)
    assert found.best_epoch == wanted.best_epoch
    assert same_weights(resumed.model.state_dict(), whole.model.state_dict())
    assert min(resumed.epochs_run) == killed_in  # what was done is not done again


def test_a_kill_between_two_files_loses_nothing(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(Regression(killed_in=3).task, CONFIG, tmp_path)
    (tmp_path / STATE).with_suffix(".partial").write_bytes(b"half a file")
    resumed = Regression()
    fit(resumed.task, CONFIG, tmp_path)
    assert min(resumed.epochs_run) == 3


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first, again = Regression(), Regression()
    wanted = fit(first.task, CONFIG, tmp_path)
    found = fit(again.task, CONFIG, tmp_path)
    assert not again.epochs_run
    assert curve(found) == curve(wanted)
    assert same_weights(again.model.state_dict(), first.model.state_dict())


@pytest.mark.parametrize("changes", [{"learning_rate": 0.01}, {"seed": 5}, {"epochs": 5}])
def test_another_recipe_begins_anew(tmp_path: Path, changes: dict[str, float]) -> None:
    with pytest.raises(Killed):
        fit(Regression(killed_in=4).task, CONFIG, tmp_path)
    other = CONFIG.model_copy(update=changes)
    found, wanted = Regression(), Regression()
    assert curve(fit(found.task, other, tmp_path)) == curve(fit(wanted.task, other, tmp_path / "fresh"))
    assert same_weights(found.model.state_dict(), wanted.model.state_dict())


def test_the_average_is_validated_and_kept_and_the_steps_are_as_without(tmp_path: Path) -> None:
    plain, averaged = (
        Regression(values=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        Regression(values=[0.1, 0.3, 0.2, 0.1, 0.1, 0.1]),
    )
    without = fit(plain.task, CONFIG, tmp_path / "plain")
    found = fit(averaged.task, CONFIG.model_copy(update={"averaging": 0.5}), tmp_path / "averaged")
    assert [one.loss for one in found.curve] == [one.loss for one in without.curve]
    assert same_weights(averaged.model.state_dict(), averaged.validated[1])
    assert not same_weights(averaged.validated[1], plain.validated[1])


def test_an_average_without_validation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a line: fit\.averaging needs validation"):
        fit(Regression().task, CONFIG.model_copy(update={"averaging": 0.5}), tmp_path)


def test_another_task_begins_anew(tmp_path: Path) -> None:
    """The same recipe for something else (another row of the study, say) must not go on from these weights."""
    with pytest.raises(Killed):
        fit(Regression(killed_in=4).task, CONFIG, tmp_path)
    other = Regression()
    fit(replace(other.task, title="another line"), CONFIG, tmp_path)
    assert min(other.epochs_run) == 1


def test_forgotten_is_forgotten(tmp_path: Path) -> None:
    fit(Regression().task, CONFIG, tmp_path)
    forget(tmp_path)
    forget(tmp_path)
    again = Regression()
    fit(again.task, CONFIG, tmp_path)
    assert min(again.epochs_run) == 1


@pytest.mark.parametrize(
    ("values", "epochs_run", "best", "cut_short"),
    [
        ([0.1, 0.3, 0.2, 0.25, 0.9, 0.9], 4, 2, False),  # two in a row brought nothing
        ([0.1, 0.1, 0.1, 0.9, 0.9, 0.9], 3, 1, False),  # equal is no better
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 6, 6, True),
        ([0.1, 0.2, 0.3, 0.4, 0.6, 0.5], 6, 5, True),  # one in vain, and patience for another
        ([0.1, 0.2, 0.3, 0.6, 0.5, 0.5], 6, 4, False),  # patience and limit at once
        ([0.5, 0.4, 0.6, 0.1, 0.1, 0.9], 5, 3, False),
    ],
)
def test_training_stops_when_patience_ends_and_leaves_the_best_weights(
    tmp_path: Path, values: list[float], epochs_run: int, best: int, *, cut_short: bool
) -> None:
    regression = Regression(values=values)
    fitted = fit(regression.task, CONFIG.model_copy(update={"patience": 2}), tmp_path)
    assert [point.validation for point in fitted.curve] == values[:epochs_run]
    assert fitted.best_epoch == best
    assert fitted.cut_short == cut_short
    assert same_weights(regression.model.state_dict(), regression.validated[best - 1])
    assert not regression.model.training


def test_without_validation_the_lowest_training_loss_is_the_best(tmp_path: Path) -> None:
    fitted = fit(Regression().task, CONFIG, tmp_path)
    assert all(point.validation == -point.loss for point in fitted.curve)
    assert fitted.curve[fitted.best_epoch - 1].loss == min(point.loss for point in fitted.curve)
    assert fitted.seconds == pytest.approx(sum(point.seconds for point in fitted.curve))


@dataclass(frozen=True)
class Known(Objective):
    """Steps whose losses and numbers of rows are given."""

    weight: Tensor
    steps: tuple[tuple[float, int], ...]

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        return list(np.arange(len(self.steps))[:, None])

    def batch(self, examples: NDArray[np.int64]) -> Tensor:
        return torch.tensor([self.steps[int(number)] for number in examples])

    def loss(self, batch: Tensor, epoch: int) -> StepLoss:
        ((value, rows),) = batch.tolist()
        return StepLoss(value + 0 * self.weight.sum(), int(rows))


def test_the_loss_of_an_epoch_is_a_mean_over_rows_not_over_batches(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    task = Task("known losses", model, Known(model.weight, ((1.0, 30), (5.0, 10))), None)
    assert fit(task, CONFIG.model_copy(update={"epochs": 1}), tmp_path).curve[0].loss == pytest.approx(2.0)


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    regression = Regression()
    regression.model[0].requires_grad_(requires_grad=False)
    before = {name: one.clone() for name, one in regression.model.state_dict().items()}
    fit(regression.task, CONFIG, tmp_path)
    after = regression.model.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["2.weight", "2.bias"]


def test_a_loss_that_is_no_number_ends_the_training_by_name(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    task = Task("an exploding line", model, Known(model.weight, ((math.nan, 1),)), None)
    with pytest.raises(Diverged, match=r"an exploding line: the loss of epoch 1 is nan.*learning_rate"):
        fit(task, CONFIG, tmp_path)


def test_the_best_epoch_is_told_as_it_was(tmp_path: Path) -> None:
    fitted = fit(Regression(values=[0.1, 0.4, 0.2]).task, CONFIG.model_copy(update={"epochs": 3}), tmp_path)
    assert (fitted.best.epoch, fitted.best.validation) == (2, 0.4)


def test_other_data_begin_anew(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(replace(Regression(killed_in=4).task, recipe="some data"), CONFIG, tmp_path)
    same, other = Regression(), Regression()
    fit(replace(same.task, recipe="some data"), CONFIG, tmp_path)
    assert min(same.epochs_run) == 4
    fit(replace(other.task, recipe="other data"), CONFIG, tmp_path)
    assert min(other.epochs_run) == 1


def test_buffers_come_back_with_the_best_weights(tmp_path: Path) -> None:
    """What a model keeps beside its weights (running means, item vectors) is of the same epoch as they are."""
    regression = Regression(values=[0.1, 0.9, 0.1, 0.1])
    norm = nn.BatchNorm1d(4)
    regression.model.insert(1, norm)
    fit(regression.task, CONFIG.model_copy(update={"epochs": 4}), tmp_path)
    assert norm.running_mean is not None
    assert torch.equal(norm.running_mean, regression.validated[1]["1.running_mean"])
    assert not torch.equal(norm.running_mean, regression.validated[3]["1.running_mean"])


def test_the_states_of_further_stages_are_forgotten_too_and_nothing_else(tmp_path: Path) -> None:
    fit(Regression().task, CONFIG, tmp_path)
    fit(Regression().task, CONFIG, tmp_path / "stage-2")
    (tmp_path / "stage-2" / STATE).with_suffix(".partial").write_bytes(b"half a file")
    (tmp_path / "model.json").write_text("{}")
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
