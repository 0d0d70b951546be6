"""Trainings that follow each other on one model, each from the best weights of the ones before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from training.fitting import FitConfig, Fitted, Task, fit


def fit_stages(stages: Iterable[tuple[Task, FitConfig]], folder: Path) -> Fitted:
    """One after the other; a stage that ends worse leaves the weights that it began with.

    Args:
        stages: what each does, and for how long. They are asked for one by one, each when the one before has ended: so
            each may be made of what that left. What a later one trains is the model of the first, or a part of it.
        folder: keeps the state of the first, and folders of the further ones in it; `training.fitting.forget` removes
            both.

    Returns:
        One curve, its epochs counted on, and the best of all of them.

    Raises:
        ValueError: there is no stage; the folder is named.
    """
    so_far: Fitted | None = None
    for number, (task, config) in enumerate(stages, start=1):
        began_with = {name: one.detach().clone() for name, one in task.model.state_dict().items()}
        fitted = fit(task, config, folder if number == 1 else folder / f"stage-{number}")
        if so_far is not None and fitted.best.validation < so_far.best.validation:
            task.model.load_state_dict(began_with)
        so_far = fitted if so_far is None else _joined(so_far, fitted)
    if so_far is None:
        raise ValueError(f"{folder}: a training of no stage")
    return so_far


def _joined(first: Fitted, then: Fitted) -> Fitted:
    """One curve, its epochs counted on, each with the number of its stage."""
    before = len(first.curve)
    stage = first.curve[-1].stage + 1
    moved = tuple(one.model_copy(update={"epoch": one.epoch + before, "stage": stage}) for one in then.curve)
    as_good = then.best.validation >= first.best.validation
    return replace(
        first,
        curve=first.curve + moved,
        best_epoch=then.best_epoch + before if as_good else first.best_epoch,
        seconds=first.seconds + then.seconds,
        cut_short=first.cut_short or then.cut_short,
    )
