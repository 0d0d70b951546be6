"""The counting teacher in a cache: what is chosen for it, its place beside the others, and what damages it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.artefacts import ArtefactCorrupt, ArtefactMissing
from training.closed_form_memory import ClosedFormMemory
from training.dataset import Dataset
from training.evaluation.selection import calibration_half, selection_half
from training.knowledge import TeacherKnowledge, gather
from training.log_popularity import log_popularity
from training.teachers.ease import EaseConfig
from training.teachers.transitions import Transitions, TransitionsSearch
from training.transitions_memory import read_transitions, remember_transitions

SEARCH = TransitionsSearch(windows=((1, 1.0), (3, 0.5)), decays=(0.1, 0.9), masses=(0.5, 50.0))


@pytest.fixture(scope="module")
def folder(markov: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("counted")
    gather(markov, [], out, closed_forms=[SEARCH])
    return out


@pytest.fixture
def memory(markov: Dataset, folder: Path) -> ClosedFormMemory:
    (found,) = TeacherKnowledge.read(folder, markov).teachers
    assert isinstance(found, ClosedFormMemory)
    return found


def model_of(memory: ClosedFormMemory) -> Transitions:
    assert isinstance(memory.model, Transitions)
    return memory.model


def test_of_a_first_order_chain_the_last_item_and_its_followers_are_chosen(memory: ClosedFormMemory) -> None:
    chosen = model_of(memory).config
    assert (chosen.window, chosen.fade, chosen.backward) == (1, 1.0, 0.0)
    assert (chosen.decay, chosen.mass) == (0.1, 0.5)


def test_what_is_chosen_is_the_likeliest_on_the_half_that_calibrates(markov: Dataset, memory: ClosedFormMemory) -> None:
    rows = calibration_half(markov.split.validation).row
    target = torch.from_numpy(markov.interactions.item[rows].astype(np.int64) - 1)[:, None]

    def likely(model: Transitions) -> float:
        return float(model.log_p(rows, leave_out=False).gather(1, target).mean())

    model = model_of(memory)
    others = [
        replace(model, config=model.config.model_copy(update={name: value}))
        for name, value in (("decay", 0.9), ("mass", 50.0))  # counting otherwise is another matrix
    ]
    assert all(likely(model) > likely(other) for other in others)


def test_who_selects_has_no_part_in_the_choice(markov: Dataset, memory: ClosedFormMemory, tmp_path: Path) -> None:
    """Nor has who is tested: other answers of theirs change nothing."""
    item = markov.interactions.item.copy()
    for rows in (selection_half(markov.split.validation).row, markov.split.test.row):
        item[rows] = 1 + item[rows] % len(markov.catalog)
    other = replace(markov, interactions=replace(markov.interactions, item=item))
    entry = remember_transitions(other, SEARCH, tmp_path)
    assert entry.transitions is not None
    assert entry.transitions == memory.entry.transitions
    own = calibration_half(markov.split.validation).row
    item[own] = np.random.default_rng(0).permutation(item[own])
    other = replace(markov, interactions=replace(markov.interactions, item=item))
    assert remember_transitions(other, SEARCH, tmp_path / "other").transitions != entry.transitions


def test_its_link_is_calibrated_and_has_no_temperature_beside_it(memory: ClosedFormMemory) -> None:
    assert memory.entry.calibration == 1.0
    assert memory.entry.repeats is not None
    assert memory.entry.repeats.calibration == 1.0


def test_it_knows_more_than_popularity(markov: Dataset, memory: ClosedFormMemory) -> None:
    row = markov.split.test.row
    target = torch.from_numpy(markov.interactions.item[row].astype(np.int64) - 1)[:, None]
    assert memory.held_out_log_p(row).gather(1, target).mean() > log_popularity(markov)[target].mean()
    assert abs(memory.entry.optimism) < 0.3


def test_it_comes_after_the_linear_one_and_is_named(markov: Dataset, tmp_path: Path) -> None:
    found = gather(markov, [], tmp_path, closed_forms=[EaseConfig(ridge=5.0), SEARCH])
    assert [(one.name, one.folder) for one in found.teachers] == [("ease", "0-ease"), ("transitions", "1-transitions")]


def test_gathered_again_it_is_the_same_and_not_counted_anew(markov: Dataset, folder: Path) -> None:
    path = folder / "0-transitions" / "count.npy"
    before = path.stat().st_mtime_ns
    gather(markov, [], folder, closed_forms=[SEARCH])
    assert path.stat().st_mtime_ns == before
    gather(markov, [], folder, closed_forms=[SEARCH.model_copy(update={"masses": (1.0,)})])
    assert path.stat().st_mtime_ns != before
    gather(markov, [], folder, closed_forms=[SEARCH])


def test_what_was_counted_in_other_data_of_equal_size_is_counted_anew(markov: Dataset, tmp_path: Path) -> None:
    first = remember_transitions(markov, SEARCH, tmp_path)
    renamed = (len(markov.catalog) + 1 - markov.interactions.item).astype(markov.interactions.item.dtype)
    other = replace(markov, interactions=replace(markov.interactions, item=renamed))
    second = remember_transitions(other, SEARCH, tmp_path)
    assert (first.rows, first.width) == (second.rows, second.width)
    assert first.sha256 != second.sha256
    assert remember_transitions(other, SEARCH, tmp_path) == second


def test_a_damaged_matrix_is_refused_by_name(markov: Dataset, tmp_path: Path) -> None:
    gather(markov, [], tmp_path, closed_forms=[SEARCH])
    path = tmp_path / "0-transitions" / "count.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtefactCorrupt, match=r"count\.npy"):
        TeacherKnowledge.read(tmp_path, markov)
    path.unlink()
    with pytest.raises(ArtefactMissing, match=r"count\.npy"):
        TeacherKnowledge.read(tmp_path, markov)


def test_an_entry_of_another_kind_is_refused(markov: Dataset, tmp_path: Path) -> None:
    entry = remember_transitions(markov, SEARCH, tmp_path).model_copy(update={"transitions": None})
    with pytest.raises(ArtefactCorrupt, match="nothing of counted transitions"):
        read_transitions(tmp_path, entry, markov)
