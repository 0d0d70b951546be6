"""The training loop under every step that trains: epochs, early stopping, and going on after a kill."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from training.arithmetic import step_products
from training.artefacts import CurvePoint
from training.averaging import AveragedWeights
from training.config import Config, ConfigError
from training.devices import DeviceChoice, device_name, pick_device
from training.processes import Processes
from training.progress import ProgressBar, progress_bar

STATE = "training_state.pt"


class Diverged(ConfigError):
    """The loss is no number any more: nothing that comes after would be worth its time."""


class FitConfig(Config):
    """How to train."""

    epochs: int = Field(default=100, ge=1)
    """At most this many."""
    patience: int = Field(default=10, ge=1)
    """Stop when this many epochs in a row bring no better validation value."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Of Adam."""
    weight_decay: float = Field(default=0.0, ge=0)
    rows_per_batch: int = Field(default=2048, ge=1)
    """About how many targets a step learns from."""
    averaging: float = Field(default=0.0, ge=0, lt=1)
    """Validate and keep the moving average of the weights, with this share of the past in every step: 1 - 1/n is an
    average over about the last n. 0: the weights of the last step. Refused where nothing is validated."""
    seed: int = Field(default=0, ge=0)
    device: DeviceChoice = "auto"
    """auto: the GPU when there is one."""

    def pick_device(self) -> torch.device:
        """The device to train on."""
        return pick_device(self.device)

    def cuts_short(self, trained: int, best_epoch: int) -> bool:
        """Whether a training of so many epochs ends by its limit, where patience would have gone on."""
        return trained >= self.epochs and trained - best_epoch < self.patience


@dataclass(frozen=True)
class StepLoss:
    """What a step gives back."""

    mean: Tensor
    """Scalar to minimise: a mean over rows."""
    rows: int


class Objective(Protocol):
    """What a training minimises, and over which examples."""

    def epoch(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """The example numbers of each step of one epoch, from a generator seeded by (seed, epoch)."""

    def batch(self, examples: NDArray[np.int64]) -> Any:  # noqa: ANN401 - each objective knows its own batches
        """The batch of some examples; it has `.to(device)`."""

    def loss(self, batch: Any, epoch: int) -> StepLoss:  # noqa: ANN401
        """The loss of one batch; epochs count from 1."""


@dataclass(frozen=True)
class Task:
    """What is learnt; the loop knows nothing of models and data beyond this."""

    title: str
    model: nn.Module
    """Moved to the device by the loop. The best weights are in it at the end."""
    objective: Objective
    validate: Callable[[], float] | None
    """Higher is better; None: minus the training loss."""
    recipe: str = ""
    """All that decides what is learnt (data, teachers, settings): a training of another recipe is not gone on with."""


@dataclass(frozen=True)
class Fitted:
    """How the training went."""

    curve: tuple[CurvePoint, ...]
    best_epoch: int
    seconds: float
    device: str = ""
    """Where the last epoch was trained."""
    cut_short: bool = False
    """Ended by its limit of epochs, where patience would have gone on; of several stages, any of them."""

    @property
    def best(self) -> CurvePoint:
        """The epoch whose weights were kept."""
        return self.curve[self.best_epoch - 1]


class _Run:
    """The changing part of a training: written whole after every epoch, so that a kill costs one epoch at most."""

    def __init__(self, task: Task, config: FitConfig, folder: Path, processes: Processes) -> None:
        self.task, self.config, self.path, self.processes = task, config, folder / STATE, processes
        self.device = processes.device(config.pick_device())
        task.model.to(self.device)
        self.optimizer = torch.optim.Adam(
            [one for one in task.model.parameters() if one.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.recipe = f"{task.title}\n{task.recipe}\n{config.model_dump_json()}"
        self.averaged = AveragedWeights(task.model, config.averaging) if config.averaging else None
        self.curve: list[CurvePoint] = []
        self.best = {name: one.clone() for name, one in task.model.state_dict().items()}
        self._resume()

    @property
    def best_epoch(self) -> int:
        return max(self.curve, key=lambda point: (point.validation, -point.epoch)).epoch if self.curve else 0

    @property
    def finished(self) -> bool:
        done = len(self.curve)
        return done >= self.config.epochs or (done > 0 and done - self.best_epoch >= self.config.patience)

    def _resume(self) -> None:
        if not self.path.is_file():
            return
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        if state.get("recipe") != self.recipe:
            return  # begin anew
        self.task.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.averaged:
            self.averaged.resume(state["averaged"])
        self.best = state["best"]
        self.curve = [CurvePoint.model_validate(one) for one in state["curve"]]

    def kept(self) -> AbstractContextManager[None]:
        """While it lasts, the model has the weights that are validated and kept."""
        return self.averaged.in_place() if self.averaged else nullcontext()

    def add(self, point: CurvePoint) -> None:
        self.curve.append(point)
        if self.best_epoch == point.epoch:
            with self.kept():
                self.best = {name: one.detach().clone() for name, one in self.task.model.state_dict().items()}
        if self.processes.writes:
            self._write()
        self.processes.wait()

    def _write(self) -> None:
        partial = self.path.with_suffix(".partial")
        state = {
            "recipe": self.recipe,
            "model": self.task.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.state() if self.averaged else {},
            "best": self.best,
            "curve": [one.model_dump() for one in self.curve],
        }
        torch.save(state, partial)
        partial.replace(self.path)


def fit(task: Task, config: FitConfig, folder: Path) -> Fitted:
    """Train until the validation value stops rising, and leave the best weights in the model.

    Randomness is seeded anew by (seed, epoch): a training that was killed and goes on gives what it would have given.

    Args:
        task: model, batches, loss, validation.
        config: how to train.
        folder: keeps the state after every epoch; remove it with `forget` when the result is saved.

    Raises:
        ConfigError: an average without validation: the loss that would pick its epoch is not its own.
        Diverged: the loss is no number any more.
    """
    if config.averaging and task.validate is None:
        raise ConfigError(f"{task.title}: fit.averaging needs validation, and there is none here")
    folder.mkdir(parents=True, exist_ok=True)  # before any work: a place that cannot be written is known at once
    run = _Run(task, config, folder, Processes.here())
    with progress_bar(task.title, config.epochs) as bar:
        bar.advance("resumed" if run.curve else "", steps=len(run.curve))
        while not run.finished:
            point = _epoch(run, len(run.curve) + 1, bar)
            run.add(point)
            bar.advance(f"loss {point.loss:.4f}, validation {point.validation:.4f}, best epoch {run.best_epoch}")
    task.model.load_state_dict(run.best)
    task.model.eval()
    seconds = sum(point.seconds for point in run.curve)
    cut_short = config.cuts_short(len(run.curve), run.best_epoch)
    return Fitted(tuple(run.curve), run.best_epoch, seconds, device_name(run.device), cut_short)


def forget(folder: Path) -> None:
    """Drop the state that `fit` kept in a folder, and in the folders of further stages inside it."""
    for path in folder.glob(f"stage-*/{STATE}"):
        shutil.rmtree(path.parent)
    (folder / STATE).unlink(missing_ok=True)  # the last to go: while it is there, there is something to tidy up


def _epoch(run: _Run, epoch: int, bar: ProgressBar) -> CurvePoint:
    started = time.perf_counter()
    task, seed = run.task, run.config.seed
    torch.manual_seed(seed * 100_003 + epoch + run.processes.rank * 1_000_000_007)
    steps = run.processes.shares(list(task.objective.epoch(np.random.default_rng((seed, epoch)))))
    task.model.train()
    total, rows = 0.0, 0.0
    for number, examples in enumerate(steps, start=1):
        added, counted = _step(run, examples, epoch)
        total, rows = total + added, rows + counted
        bar.note(f"epoch {epoch}: step {number}/{len(steps)}, loss {total / max(rows, 1):.4f}")
    task.model.eval()
    loss = total / max(rows, 1)
    if not math.isfinite(loss):
        raise Diverged(f"{task.title}: the loss of epoch {epoch} is {loss}; a smaller fit.learning_rate may help")
    with torch.no_grad(), run.kept():
        validation = run.processes.mean(task.validate()) if task.validate else -loss
    return CurvePoint(epoch=epoch, loss=loss, validation=validation, seconds=time.perf_counter() - started)


def _step(run: _Run, examples: NDArray[np.int64], epoch: int) -> tuple[float, float]:
    """One step of the optimizer: (sum of the loss over all rows, their number), over all processes."""
    task, processes = run.task, run.processes
    with step_products():
        found = task.objective.loss(task.objective.batch(examples).to(run.device), epoch)
        rows = processes.total(found.rows)
        run.optimizer.zero_grad(set_to_none=True)
        mean = found.mean if processes.alone else found.mean * (found.rows / max(rows, 1))  # []
        mean.backward()  # type: ignore[no-untyped-call]
    processes.add_gradients(task.model)
    run.optimizer.step()
    if run.averaged:
        run.averaged.add()
    return processes.total(found.mean.item() * found.rows), rows
