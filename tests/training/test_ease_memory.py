"""The linear teacher in a cache: its probabilities, its place beside the others, and what damages it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.arrays import fingerprint
from training.artefacts import ArtefactCorrupt, ArtefactMissing, sha256_of
from training.closed_form_memory import ClosedFormMemory
from training.dataset import Dataset
from training.distillation.cast import heard
from training.distillation.rows import Teaching
from training.ease_memory import LinkedEase, read_ease, remember_ease
from training.knowledge import TeacherKnowledge, gather
from training.lineage import lineage_of
from training.teachers.ease import EaseConfig


@pytest.fixture(scope="module")
def folder(markov: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("linear")
    gather(markov, [], out, closed_forms=[EaseConfig(ridge=5.0)])
    return out


@pytest.fixture
def memory(markov: Dataset, folder: Path) -> ClosedFormMemory:
    (found,) = TeacherKnowledge.read(folder, markov).teachers
    assert isinstance(found, ClosedFormMemory)
    return found


def linked(memory: ClosedFormMemory) -> LinkedEase:
    assert isinstance(memory.model, LinkedEase)
    return memory.model


def test_it_answers_with_probabilities_over_the_catalogue(markov: Dataset, memory: ClosedFormMemory) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    logits, present = memory.logits(memory.row[:50], everything)
    assert bool(present.all())
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(50))
    held_out = memory.held_out_log_p(markov.split.test.row)
    torch.testing.assert_close(held_out.exp().sum(dim=1), torch.ones(len(markov.split.test)))


def test_a_matrix_that_was_kept_with_its_rows_apart_is_read_with_them_together(
    memory: ClosedFormMemory, tmp_path: Path, markov: Dataset
) -> None:
    path, kept = tmp_path / "inverse.npy", linked(memory).ease.inverse
    np.save(path, np.asfortranarray(kept.numpy()))
    entry = memory.entry.model_copy(update={"sha256": {"inverse": sha256_of(path)}})
    found = linked(read_ease(tmp_path, entry, markov)).ease.inverse
    assert found.is_contiguous()
    assert torch.equal(found, kept)


def test_candidates_of_each_row_are_read_from_the_same_answer(markov: Dataset, memory: ClosedFormMemory) -> None:
    rows = memory.row[::7][:9]
    whole, _ = memory.logits(rows, torch.arange(1, len(markov.catalog) + 1))
    asked = torch.randint(1, len(markov.catalog) + 1, (9, 4), generator=torch.Generator().manual_seed(0))
    assert torch.equal(memory.logits(rows, asked)[0], whole.gather(1, asked - 1))


def test_rows_that_are_no_train_rows_it_did_not_score(markov: Dataset, memory: ClosedFormMemory) -> None:
    _, present = memory.logits(markov.split.test.row[:3], torch.tensor([1]))
    assert not present.any()


def test_it_knows_more_than_popularity_and_does_not_remember_who_it_answers(
    markov: Dataset, memory: ClosedFormMemory
) -> None:
    row = markov.split.test.row
    target = torch.from_numpy(markov.interactions.item[row].astype(np.int64) - 1)[:, None]
    told = memory.held_out_log_p(row).gather(1, target).mean()
    assert told > linked(memory).log_popularity[target].mean()
    assert abs(memory.entry.optimism) < 0.3


def test_shuffled_it_gives_the_answers_of_other_rows(markov: Dataset, memory: ClosedFormMemory) -> None:
    everything = torch.arange(1, len(markov.catalog) + 1)
    dealt = memory.shuffled(0)
    assert dealt.answered is not None
    later = dealt.held_out_answered
    assert later is not None
    assert np.array_equal(np.sort(dealt.answered), memory.row)
    assert np.array_equal(np.sort(later), memory.held_out)
    assert not np.array_equal(later, memory.held_out)
    told = dealt.held_out_log_p(memory.held_out[:5])
    assert torch.equal(told, memory.held_out_log_p(later[:5]))
    with pytest.raises(KeyError, match="neither for validation nor for test"):
        dealt.held_out_log_p(memory.row[:1])
    found, _ = dealt.logits(memory.row[:5], everything)
    assert torch.equal(found, memory.logits(dealt.answered[:5], everything)[0])
    (broken,) = heard(Teaching(cast="shuffled"), TeacherKnowledge(None, (memory,)), markov).memories  # type: ignore[arg-type]
    assert not torch.equal(broken.logits(memory.row[:5], everything)[0], memory.logits(memory.row[:5], everything)[0])


def test_gathered_again_it_is_the_same_and_not_fitted_anew(markov: Dataset, folder: Path) -> None:
    path = folder / "0-ease" / "inverse.npy"
    before = path.stat().st_mtime_ns
    gather(markov, [], folder, closed_forms=[EaseConfig(ridge=5.0)])
    assert path.stat().st_mtime_ns == before
    gather(markov, [], folder, closed_forms=[EaseConfig(ridge=6.0)])
    assert path.stat().st_mtime_ns != before
    gather(markov, [], folder, closed_forms=[EaseConfig(ridge=5.0)])


def test_what_an_older_version_kept_is_known_again(markov: Dataset, memory: ClosedFormMemory) -> None:
    """Students that learnt from it are bound to its fingerprint."""
    inverse, config = linked(memory).ease.inverse.numpy(), EaseConfig(ridge=5.0)
    wanted = fingerprint({"inverse": inverse, "config": config.hash, "data": lineage_of(markov).hash})
    assert memory.entry.fingerprint == wanted


def test_what_was_fitted_to_other_data_of_equal_size_is_fitted_anew(markov: Dataset, tmp_path: Path) -> None:
    first = remember_ease(markov, EaseConfig(ridge=5.0), tmp_path)
    renamed = (len(markov.catalog) + 1 - markov.interactions.item).astype(markov.interactions.item.dtype)
    other = replace(markov, interactions=replace(markov.interactions, item=renamed))
    second = remember_ease(other, EaseConfig(ridge=5.0), tmp_path)
    assert (first.rows, first.width) == (second.rows, second.width)
    assert first.sha256 != second.sha256
    assert remember_ease(other, EaseConfig(ridge=5.0), tmp_path) == second


def test_a_damaged_matrix_is_refused_by_name(markov: Dataset, folder: Path, tmp_path: Path) -> None:
    gather(markov, [], tmp_path, closed_forms=[EaseConfig(ridge=5.0)])
    path = tmp_path / "0-ease" / "inverse.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtefactCorrupt, match=r"inverse\.npy"):
        TeacherKnowledge.read(tmp_path, markov)
    path.unlink()
    with pytest.raises(ArtefactMissing, match=r"inverse\.npy"):
        TeacherKnowledge.read(tmp_path, markov)
    del folder
