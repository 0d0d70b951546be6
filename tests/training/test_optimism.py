"""A teacher that remembers its rows is optimistic; one that answers as if it had not met them is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.closed_form_memory import ClosedFormMemory
from training.dataset import Dataset
from training.distillation.rows import Teaching
from training.distillation.weighting import Judged, weights
from training.ease_memory import LinkedEase, read_ease, remember_ease
from training.optimism import optimism
from training.teachers.ease import EaseConfig


@pytest.fixture(scope="module")
def memory(markov: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ClosedFormMemory:
    folder = tmp_path_factory.mktemp("ease")
    return read_ease(folder, remember_ease(markov, EaseConfig(ridge=1.0), folder), markov)


class Remembering(ClosedFormMemory):
    """The same without leaving anybody out."""

    def _log_p(self, rows: np.ndarray, *, leave_out: bool) -> torch.Tensor:
        del leave_out
        return super()._log_p(rows, leave_out=False)


def test_who_remembers_is_more_optimistic(markov: Dataset, memory: ClosedFormMemory) -> None:
    remembering = Remembering(memory.entry, memory.row, memory.held_out, memory.model)
    assert optimism(remembering, markov) > optimism(memory, markov)


def test_equal_answers_everywhere_are_no_optimism(markov: Dataset, memory: ClosedFormMemory) -> None:
    model = memory.model
    assert isinstance(model, LinkedEase)
    everybody = -torch.full_like(model.log_popularity, len(markov.catalog)).log()  # [N]
    blind = replace(model, log_popularity=everybody, link=model.link.model_copy(update={"peak": 1e9}))
    assert optimism(replace(memory, model=blind), markov) == pytest.approx(0, abs=1e-3)


def test_optimism_is_taken_off_the_confidence() -> None:
    log_p = torch.tensor([[[0.8, 0.2]], [[0.4, 0.6]]]).log()  # [2, 1, 2]
    target, present = torch.tensor([0]), torch.ones(2, 1, dtype=torch.bool)
    plain = weights(Teaching((1, 0)), Judged.of(log_p, target, present))  # [2, 1]
    torch.testing.assert_close(plain, torch.tensor([[2 / 3], [1 / 3]]))
    corrected = Judged.of(log_p, target, present, torch.tensor([2.0, 1.0]).log())
    torch.testing.assert_close(weights(Teaching((1, 0)), corrected), torch.tensor([[0.5], [0.5]]))
