"""What the tutor asks of a few places is the cross-entropy over the whole catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.dataset import Dataset
from training.distillation.answers import Answers
from training.distillation.dllm2rec import DLLM2RecConfig, list_weights
from training.distillation.rank_lists import RankLists
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.tutors.dllm2rec_tutor import Dllm2RecTutor
from training.knowledge import TeacherKnowledge

K = 4


@pytest.fixture
def lists(markov: Dataset, both_known: Path) -> RankLists:
    panel = TeacherPanel(TeacherKnowledge.read(both_known, markov).teachers, torch.device("cpu"))
    return RankLists.of(panel, len(markov.catalog), K)


@pytest.fixture
def answers(markov: Dataset, lists: RankLists) -> Answers:
    """Of a student that knows nothing; the last row was scored by nobody."""
    draw = torch.Generator().manual_seed(1)
    row = torch.tensor([*lists.row[[3, 30, 300]].tolist(), markov.interactions.item.size - 1])
    hidden, items = torch.randn(4, 6, generator=draw), torch.randn(len(markov.catalog) + 1, 6, generator=draw)
    target = torch.from_numpy(markov.interactions.item[row.numpy()].astype("int64"))
    return Answers(row, target, lambda: torch.empty(0), hidden.requires_grad_(), items.requires_grad_())


def whole(answers: Answers, lists: RankLists) -> Tensor:
    """Cross-entropy between weights that are spread over the catalogue and the student's softmax."""
    ranked, log_q = lists.at(answers.row), answers.log_q
    weights = list_weights(ranked, log_q.topk(K, dim=1).indices + 1, DLLM2RecConfig(top=K))
    spread = torch.zeros(len(weights), *log_q.shape).scatter(-1, ranked.item - 1, weights).sum(dim=0)
    assert spread.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 0], abs=1e-5)
    return -(spread * log_q).sum(dim=1).mean()


def test_loss_and_gradients_are_those_of_the_whole_catalogue(answers: Answers, lists: RankLists) -> None:
    tutor = Dllm2RecTutor(lists)
    learnt = (answers.hidden, answers.items)
    wanted = whole(answers, lists)
    named = replace(answers, named=tutor.names(answers.row))
    for one in (answers, named):
        found = tutor.loss(one)
        assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
        theirs = torch.autograd.grad(wanted, learnt, retain_graph=True)
        for ours, their in zip(torch.autograd.grad(found, learnt, retain_graph=True), theirs, strict=True):
            torch.testing.assert_close(ours, their, atol=1e-6, rtol=1e-4)
