"""What is read off held-out rows of each teacher in a cache, at every gathering: also of one that was asked before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from training.dataset import Dataset
from training.devices import pick_device
from training.evaluation.repeat_calibration import calibrated, calibrated_offset
from training.evaluation.selection import calibration_half, evenly
from training.memory import Memory
from training.optimism import optimism
from training.seen_before import seen_before
from training.teacher_entry import RepeatCalibration, TeacherEntry

_USERS = 4096
"""So many tell two numbers."""


def judged(entry: TeacherEntry, remember: Callable[[TeacherEntry], Memory], dataset: Dataset) -> TeacherEntry:
    """The entry with the teacher's optimism, and with T_m and b_m fitted together and the optimism that goes with them.

    Args:
        entry: calibrated by T_m alone.
        remember: the teacher's memory under an entry.
        dataset: whose validation users, of the half that does not select.
    """
    repeats = _calibrated(entry, remember(entry.model_copy(update={"calibration": 1.0})), dataset)
    minding = remember(entry.model_copy(update={"repeats": repeats})).minding_repeats()
    repeats = repeats.model_copy(update={"optimism": optimism(minding, dataset)})
    return entry.model_copy(update={"optimism": optimism(remember(entry), dataset), "repeats": repeats})


def _calibrated(entry: TeacherEntry, bare: Memory, dataset: Dataset) -> RepeatCalibration:
    """T_m and b_m; of a linear teacher, whose link is fitted already, b_m beside a T_m of 1."""
    rows = evenly(calibration_half(dataset.split.validation), _USERS).row  # [E]
    logits = bare.on(pick_device()).held_out_log_p(rows)  # [E, N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1).to(logits.device)  # [E]
    seen = seen_before(dataset.interactions, rows, len(dataset.catalog))[:, 1:].to(logits.device)  # [E, N]
    if entry.ease is None:
        temperature, offset = calibrated(logits, target, seen)
    else:
        temperature, offset = 1.0, calibrated_offset(logits, target, seen)
    said = (logits / entry.calibration).softmax(dim=1) * seen  # [E, N]
    return RepeatCalibration(
        calibration=temperature,
        offset=offset,
        said=min(1.0, float(said.sum(dim=1).mean())),
        came_back=float(seen.gather(1, target[:, None]).double().mean()),
    )
