"""The training loop under every step that trains: epochs, early stopping, and going on after a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from training.artefacts import CurvePoint
from training.config import Config, ConfigError
from training.progress import progress_bar

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
    seed: int = Field(default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the GPU when there is one."""

    def pick_device(self) -> torch.device:
        """The device to train on."""
        wanted = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        return torch.device(wanted)


@dataclass(frozen=True)
class StepLoss:
    """What a step gives back."""

    mean: Tensor
    """Scalar to minimise: a mean over rows."""
    rows: int


@dataclass(frozen=True)
class Task:
    """What is learnt; the loop knows nothing of models and data beyond this."""

    title: str
    model: nn.Module
    """Moved to the device by the loop. The best weights are in it at the end."""
    epoch: Callable[[np.random.Generator], Iterable[Any]]
    """The batches of one epoch, from a generator seeded by (seed, epoch)."""
    loss: Callable[[Any, int], StepLoss]
    """(batch, epoch) -> loss."""
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


class _Run:
    """The changing part of a training: written whole after every epoch, so that a kill costs one epoch at most."""

    def __init__(self, task: Task, config: FitConfig, folder: Path) -> None:
        self.task, self.config, self.path = task, config, folder / STATE
        self.optimizer = torch.optim.Adam(
            [one for one in task.model.parameters() if one.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.recipe = f"{task.title}\n{task.recipe}\n{config.model_dump_json()}"
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
        state = torch.load(self.path, weights_only=True)
        if state.get("recipe") != self.recipe:
            return  # begin anew
        self.task.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.curve = [CurvePoint.model_validate(one) for one in state["curve"]]

    def add(self, point: CurvePoint) -> None:
        self.curve.append(point)
        if self.best_epoch == point.epoch:
            self.best = {name: one.detach().clone() for name, one in self.task.model.state_dict().items()}
        partial = self.path.with_suffix(".partial")
        state = {
            "recipe": self.recipe,
            "model": self.task.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
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
    """
    folder.mkdir(parents=True, exist_ok=True)  # before any work: a place that cannot be written is known at once
    task.model.to(config.pick_device())
    run = _Run(task, config, folder)
    with progress_bar(task.title, config.epochs) as bar:
        bar.advance("resumed" if run.curve else "", steps=len(run.curve))
        while not run.finished:
            point = _epoch(task, run.optimizer, config.seed, len(run.curve) + 1)
            run.add(point)
            bar.advance(f"loss {point.loss:.4f}, validation {point.validation:.4f}, best epoch {run.best_epoch}")
    task.model.load_state_dict(run.best)
    task.model.eval()
    return Fitted(tuple(run.curve), run.best_epoch, sum(point.seconds for point in run.curve))


def forget(folder: Path) -> None:
    """Drop the state that `fit` kept in a folder."""
    (folder / STATE).unlink(missing_ok=True)


def _epoch(task: Task, optimizer: torch.optim.Optimizer, seed: int, epoch: int) -> CurvePoint:
    started = time.perf_counter()
    torch.manual_seed(seed * 100_003 + epoch)
    task.model.train()
    total, rows = 0.0, 0
    for batch in task.epoch(np.random.default_rng((seed, epoch))):
        step = task.loss(batch, epoch)
        optimizer.zero_grad(set_to_none=True)
        step.mean.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, rows = total + step.mean.item() * step.rows, rows + step.rows
    task.model.eval()
    loss = total / max(rows, 1)
    if not math.isfinite(loss):
        raise Diverged(f"{task.title}: the loss of epoch {epoch} is {loss}; a smaller fit.learning_rate may help")
    with torch.no_grad():
        validation = task.validate() if task.validate else -loss
    return CurvePoint(epoch=epoch, loss=loss, validation=validation, seconds=time.perf_counter() - started)
