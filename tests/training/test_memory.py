"""A memory on another device says what it says at home."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.dataset import Dataset
from training.knowledge import TeacherKnowledge, gather
from training.memory import Memory
from training.teachers.ease import EaseConfig
from training.teachers.steps import load_teacher

HOME = torch.device("cpu")


@pytest.fixture(scope="module")
def memories(markov: Dataset, text_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Memory, ...]:
    """One with vectors, and the linear one."""
    out = tmp_path_factory.mktemp("memories")
    gather(markov, [load_teacher(text_teacher, markov)], out, ease=EaseConfig(ridge=5.0))
    return TeacherKnowledge.read(out, markov).teachers


def test_where_it_is_already_it_stays(memories: tuple[Memory, ...]) -> None:
    for memory in memories:
        assert memory.on(HOME) is memory


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_is_told_the_same(memories: tuple[Memory, ...], markov: Dataset) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    for memory in memories:
        there = memory.on(torch.device("cuda:0"))
        said, present = there.logits(memory.row[:50], everything.to("cuda:0"))
        wanted, known = memory.logits(memory.row[:50], everything)
        assert torch.equal(present.cpu(), known)
        assert torch.allclose(said.cpu(), wanted, atol=1e-2)
        rows = markov.split.test.row[:50]
        assert torch.allclose(there.held_out_log_p(rows).cpu(), memory.held_out_log_p(rows), atol=1e-2)
