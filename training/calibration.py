"""What is read off held-out rows of each teacher in a cache, at every gathering: also of one that was asked before."""

from __future__ import annotations

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
_NUMBERS = 2**27
"""At most so many logits at a time: a GB at twice the precision. Of a large catalogue fewer users are asked."""


def judged(memory: Memory, dataset: Dataset) -> TeacherEntry:
    """Its entry with the teacher's optimism, and with T_m and o_m fitted together and the optimism that goes with them.

    Args:
        memory: of a teacher, calibrated by T_m alone.
        dataset: whose validation users, of the half that does not select.

    Raises:
        SplitImpossible: there are no two validation users.
    """
    repeats = _calibrated(memory, dataset)
    minding = memory.under(memory.entry.model_copy(update={"repeats": repeats})).minding_repeats()
    repeats = repeats.model_copy(update={"optimism": optimism(minding, dataset)})
    return memory.entry.model_copy(update={"optimism": optimism(memory, dataset), "repeats": repeats})


def _calibrated(memory: Memory, dataset: Dataset) -> RepeatCalibration:
    """T_m and o_m; of a teacher in closed form, whose link is fitted, o_m beside a T_m of 1. Optimism is open yet."""
    entry, items = memory.entry, len(dataset.catalog)
    rows = evenly(calibration_half(dataset.split.validation), min(_USERS, max(1, _NUMBERS // items))).row  # [E]
    bare = memory.under(entry.model_copy(update={"calibration": 1.0}))
    logits = bare.on(pick_device()).held_out_log_p(rows)  # [E, N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1).to(logits.device)  # [E]
    seen = seen_before(dataset.interactions, rows, items)[:, 1:].to(logits.device)  # [E, N]
    if entry.closed_form:
        temperature, offset = 1.0, calibrated_offset(logits, target, seen)
    else:
        temperature, offset = calibrated(logits, target, seen)
    said = (logits / entry.calibration).softmax(dim=1) * seen  # [E, N]
    return RepeatCalibration(
        calibration=temperature,
        offset=offset,
        optimism=0.0,
        said=min(1.0, float(said.sum(dim=1).mean())),
        came_back=float(seen.gather(1, target[:, None]).double().mean()),
    )
