"""Rank lists are what the teachers say first, row by row, whenever they are asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.distillation.rank_lists import RankLists
from training.distillation.teacher_panel import TeacherPanel
from training.knowledge import TeacherKnowledge

CPU = torch.device("cpu")


@pytest.fixture
def panel(markov: Dataset, both_known: Path) -> TeacherPanel:
    """Two teachers, of which the second scored every other row."""
    first, second = TeacherKnowledge.read(both_known, markov).teachers
    fewer = replace(second, row=second.row[::2], user=second.user[::2])  # type: ignore[type-var, attr-defined]
    return TeacherPanel([first, fewer], CPU)


@pytest.mark.parametrize("top", [3, 10_000])
def test_they_are_the_first_of_what_the_teachers_say_of_the_whole_catalogue(
    panel: TeacherPanel, markov: Dataset, top: int
) -> None:
    items = len(markov.catalog)
    lists = RankLists.of(panel, items, top)
    assert lists.top == min(top, items)
    rows = torch.from_numpy(panel.memories[0].row[[5, 700, 2, 5]].copy())  # [R], in any order, one twice
    opinions = panel.opinions(rows, torch.arange(1, items + 1))
    log_p, place = opinions.log_p(1.0).topk(lists.top, dim=-1)
    found = lists.at(rows)
    assert torch.equal(found.present, opinions.present)
    assert not bool(found.present.all())
    for teacher in range(2):
        there = opinions.present[teacher]
        assert torch.allclose(found.log_p[teacher, there], log_p[teacher, there], atol=1e-5)
        assert torch.equal(found.item[teacher, there][:, :3], place[teacher, there][:, :3] + 1)
    assert torch.equal(found.named, torch.cat([found.item[0], found.item[1]], dim=1))


def test_at_a_row_that_nobody_scored_nobody_is_present(panel: TeacherPanel, markov: Dataset) -> None:
    lists = RankLists.of(panel, len(markov.catalog), 3)
    nobody = np.setdiff1d(np.arange(markov.interactions.item.size), panel.memories[0].row)[[0, -1]]
    found = lists.at(torch.from_numpy(nobody))
    assert not bool(found.present.any())
    assert bool((found.item >= 1).all())  # they can be looked up all the same
