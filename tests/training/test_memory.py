"""A memory on another device says what it says at home, and with its offset moves what was seen, and that alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.knowledge import TeacherKnowledge, gather
from training.memory import Memory
from training.seen_before import seen_before
from training.teachers.ease import EaseConfig
from training.teachers.steps import load_teacher
from training.teachers.transitions import TransitionsSearch

HOME = torch.device("cpu")


@pytest.fixture(scope="module")
def memories(markov: Dataset, text_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Memory, ...]:
    """One with vectors, the linear one, and the one that counts."""
    out = tmp_path_factory.mktemp("memories")
    gather(markov, [load_teacher(text_teacher, markov)], out, closed_forms=[EaseConfig(ridge=5.0), TransitionsSearch()])
    return TeacherKnowledge.read(out, markov).teachers


def test_where_it_is_already_it_stays(memories: tuple[Memory, ...]) -> None:
    for memory in memories:
        assert memory.on(HOME) is memory


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_is_told_the_same(memories: tuple[Memory, ...], markov: Dataset) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    for memory in (*memories, *(one.minding_repeats() for one in memories)):
        there = memory.on(torch.device("cuda:0"))
        said, present = there.logits(memory.row[:50], everything.to("cuda:0"))
        wanted, known = memory.logits(memory.row[:50], everything)
        assert torch.equal(present.cpu(), known)
        assert torch.allclose(said.cpu(), wanted, atol=1e-2)
        rows = markov.split.test.row[:50]
        assert torch.allclose(there.held_out_log_p(rows).cpu(), memory.held_out_log_p(rows), atol=1e-2)


def test_with_its_offset_it_moves_what_was_seen_and_nothing_else(memories: tuple[Memory, ...], markov: Dataset) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    for memory in memories:
        rows = memory.row[::29]
        minding = memory.minding_repeats()
        bare = replace(minding, repeat_offset=0.0)  # type: ignore[type-var]
        seen = seen_before(markov.interactions, rows, len(markov.catalog))[:, 1:]
        moved = minding.logits(rows, everything)[0] - bare.logits(rows, everything)[0]
        for line, there in zip(moved, seen, strict=True):  # up to a constant: the linear one answers with ln p
            assert float(line[~there].std()) < 1e-4
            if there.any():
                apart = line[there] - line[~there].mean()
                assert torch.allclose(apart, torch.tensor(minding.repeat_offset), atol=1e-3)
        held_out = markov.split.test.row[:40]
        assert torch.allclose(minding.held_out_log_p(held_out).exp().sum(dim=1), torch.ones(40), atol=1e-4)
        assert not torch.allclose(minding.held_out_log_p(held_out), bare.held_out_log_p(held_out))


def test_asked_for_some_items_or_for_other_rows_answers_it_moves_the_same(
    memories: tuple[Memory, ...], markov: Dataset
) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    source = torch.Generator().manual_seed(0)
    for memory in memories:
        minding = memory.minding_repeats()
        rows = memory.row[::31][:9]
        whole = minding.logits(rows, everything)[0]
        asked = torch.randint(1, len(markov.catalog) + 1, (rows.size, 4), generator=source)
        assert torch.allclose(minding.logits(rows, asked)[0], whole.gather(1, asked - 1), atol=1e-5)
        dealt = np.random.default_rng(3).permutation(memory.row.size)
        other = memory.row[dealt][np.searchsorted(memory.row, rows)]
        assert torch.equal(minding.shuffled(3).logits(rows, everything)[0], minding.logits(other, everything)[0])


def test_shuffled_its_held_out_answers_are_those_of_other_rows_with_what_was_seen_there(
    memories: tuple[Memory, ...], markov: Dataset
) -> None:
    held_out = markov.split.held_out_rows
    for memory in memories:
        minding = memory.minding_repeats()
        dealt = minding.shuffled(3)
        said = torch.cat([minding.held_out_log_p(some) for some in np.array_split(held_out, 4)])
        told = dealt.held_out_log_p(held_out[:20])
        match = [int((said - line).abs().amax(dim=1).argmin()) for line in told]
        assert match != list(range(20))
        torch.testing.assert_close(told, said[match], atol=1e-5, rtol=0)
