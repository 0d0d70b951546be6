from pathlib import Path

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.distillation.cast import HeardTeachers, heard
from training.distillation.integration import mixture
from training.distillation.rows import Teaching
from training.distillation.soft_targets import Keeping, SoftTargets, soft_targets
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.weighting import Judged, weights
from training.knowledge import TeacherKnowledge
from training.seen_before import seen_before
from training.vector_memory import TeacherMemory

FULL = Teaching((1, 2))
NAMED = ("full", lambda _, judged: weights(FULL, judged))


@pytest.fixture
def teachers(markov: Dataset, both_known: Path) -> HeardTeachers:
    return heard(FULL, TeacherKnowledge.read(both_known, markov), markov)


def kept(
    markov: Dataset, teachers: HeardTeachers, folder: Path, top: int = 1000, temperature: float = 1
) -> SoftTargets:
    return soft_targets(markov, teachers, NAMED, Keeping(top, temperature), folder)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_they_are_the_mixture_of_the_teachers(
    markov: Dataset, teachers: HeardTeachers, tmp_path: Path, temperature: float
) -> None:
    found = kept(markov, teachers, tmp_path, temperature=temperature)
    rows = torch.tensor(found.row[[3, 500, 1000]])
    target = torch.from_numpy(markov.interactions.item[rows.numpy()].astype(np.int64)) - 1
    panel = TeacherPanel(teachers.memories, torch.device("cpu"))
    opinions = panel.opinions(rows, torch.arange(1, 41))
    assert bool((panel.optimism != 0).all())
    weight = weights(FULL, Judged.of(opinions.log_p(1.0), target, opinions.present, panel.optimism))
    wanted = mixture(opinions.log_p(temperature), weight)
    targets = found.at(rows)
    assert torch.allclose(targets.log_p, wanted.gather(1, targets.item - 1), atol=1e-2)
    assert bool((targets.log_p[:, :-1] >= targets.log_p[:, 1:]).all())  # likeliest first
    assert torch.allclose(torch.from_numpy(found.weight[targets.place].astype("f4")).T, weight, atol=1e-3)
    plain = mixture(opinions.log_p(1.0), weight)
    nll = -plain.gather(1, target[:, None]).squeeze(1)
    assert np.allclose(found.label_nll[targets.place], nll, atol=1e-4)


def test_with_offsets_they_hold_what_was_seen_as_likely_as_people_come_back_to_it(
    markov: Dataset, both_known: Path, tmp_path: Path
) -> None:
    knowledge = TeacherKnowledge.read(both_known, markov)

    def share(repeat_offsets: bool) -> float:  # noqa: FBT001
        teachers = heard(FULL, knowledge, markov, repeat_offsets=repeat_offsets)
        found = kept(markov, teachers, tmp_path / str(repeat_offsets))
        seen = seen_before(markov.interactions, found.row, len(markov.catalog))
        there = seen.gather(1, torch.from_numpy(found.item.astype(np.int64))).numpy()
        return float((np.exp(found.log_p.astype(np.float32)) * there).sum(axis=1).mean())

    rows = knowledge.teachers[0].row
    again = seen_before(markov.interactions, rows, len(markov.catalog))
    target = torch.from_numpy(markov.interactions.item[rows].astype(np.int64))
    true = float(again[torch.arange(rows.size), target].double().mean())
    assert abs(share(repeat_offsets=True) - true) < abs(share(repeat_offsets=False) - true) / 2


def test_every_train_row_has_one_and_no_other_row(markov: Dataset, teachers: HeardTeachers, tmp_path: Path) -> None:
    found = kept(markov, teachers, tmp_path, top=5)
    assert np.array_equal(found.row, markov.split.train_rows(markov.interactions))
    assert found.item.shape == (found.row.size, 5)
    held_out = torch.tensor(markov.split.test.row)
    assert not found.at(held_out).known.any()
    assert bool(found.at(torch.tensor(found.row)).known.all())


def test_they_are_worked_out_once(markov: Dataset, teachers: HeardTeachers, tmp_path: Path) -> None:
    kept(markov, teachers, tmp_path, top=5)
    before = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*.npy")}
    kept(markov, teachers, tmp_path, top=5)
    assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*.npy")} == before
    kept(markov, teachers, tmp_path, top=6)
    assert len(list(tmp_path.iterdir())) == 2  # another K is another thing, and nothing half made lies about


def test_they_are_read_memory_mapped(markov: Dataset, teachers: HeardTeachers, tmp_path: Path) -> None:
    found = kept(markov, teachers, tmp_path)
    assert isinstance(found.item, np.memmap)
    assert isinstance(found.log_p, np.memmap)


def test_a_row_that_one_teacher_did_not_score_is_the_others_alone(
    markov: Dataset, teachers: HeardTeachers, tmp_path: Path
) -> None:
    first, second = teachers.with_vectors
    half = TeacherMemory(first.entry, first.row[::2], first.user[::2], first.item, None)
    found = kept(markov, HeardTeachers((half, second), "half"), tmp_path)
    assert np.array_equal(found.row, first.row)
    assert np.allclose(found.weight[1::2].astype("f4"), [0, 1])
    assert bool((found.weight[::2, 0] > 0).any())


def test_a_failure_leaves_nothing_behind(markov: Dataset, teachers: HeardTeachers, tmp_path: Path) -> None:
    def fail(_: object, __: object) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        soft_targets(markov, teachers, ("failing", fail), Keeping(5, 1), tmp_path)
    assert not list(tmp_path.iterdir())
