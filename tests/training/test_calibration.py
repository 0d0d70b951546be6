"""What is read off held-out rows makes them likelier, and a teacher that was asked before has it, too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.cast import heard
from training.distillation.rows import Teaching
from training.evaluation.selection import calibration_half
from training.knowledge import RECORD, TeacherKnowledge, gather
from training.memory import Memory
from training.optimism import optimism
from training.seen_before import seen_before
from training.teachers.ease import EaseConfig
from training.teachers.steps import load_teacher


@pytest.fixture(scope="module")
def folder(markov: Dataset, text_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calibrated")
    gather(markov, [load_teacher(text_teacher, markov)], out, closed_forms=[EaseConfig(ridge=5.0)])
    return out


@pytest.fixture
def memories(markov: Dataset, folder: Path) -> tuple[Memory, ...]:
    """One with vectors, and the linear one."""
    return TeacherKnowledge.read(folder, markov).teachers


def surprise(memory: Memory, dataset: Dataset) -> float:
    """The mean of -ln p(y) over the users who calibrate."""
    rows = calibration_half(dataset.split.validation).row
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)
    return -float(memory.held_out_log_p(rows).gather(1, target[:, None]).mean())


def on_what_was_seen(memory: Memory, dataset: Dataset) -> float:
    """The mean probability of it, at the same users."""
    rows = calibration_half(dataset.split.validation).row
    seen = seen_before(dataset.interactions, rows, len(dataset.catalog))[:, 1:]
    return float((memory.held_out_log_p(rows).exp() * seen).sum(dim=1).mean())


def test_held_out_rows_are_likelier_with_the_offset(markov: Dataset, memories: tuple[Memory, ...]) -> None:
    for memory in memories:
        minding = memory.minding_repeats()
        assert minding.repeat_offset != 0
        found = memory.entry.repeats
        assert found is not None
        assert found.said == pytest.approx(on_what_was_seen(memory, markov), abs=1e-5)
        assert abs(on_what_was_seen(minding, markov) - found.came_back) < abs(found.said - found.came_back) / 10
        assert surprise(minding, markov) < surprise(memory, markov)
        assert minding.entry.optimism == pytest.approx(optimism(minding, markov))


def test_who_was_gathered_before_there_were_offsets_is_calibrated_and_not_asked(
    markov: Dataset, folder: Path, text_teacher: Path
) -> None:
    path = folder / RECORD
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "teachers": [{**one, "repeats": None} for one in whole["teachers"]]}))
    with pytest.raises(ConfigError, match="repeat_offsets: the cache has none for unisrec; gather it again"):
        heard(Teaching(), TeacherKnowledge.read(folder, markov), markov, repeat_offsets=True)
    asked = (folder / "0-unisrec" / "user.npy").stat().st_mtime_ns
    gather(markov, [load_teacher(text_teacher, markov)], folder, closed_forms=[EaseConfig(ridge=5.0)])
    assert json.loads(path.read_text()) == whole
    assert (folder / "0-unisrec" / "user.npy").stat().st_mtime_ns == asked
