from pathlib import Path

import pytest
import torch

from training.dataset import Dataset
from training.distillation.teacher_panel import TeacherPanel
from training.knowledge import TeacherKnowledge

CPU = torch.device("cpu")


@pytest.fixture
def knowledge(markov: Dataset, both_known: Path) -> TeacherKnowledge:
    return TeacherKnowledge.read(both_known, markov)


@pytest.fixture
def rows(markov: Dataset) -> torch.Tensor:
    return torch.from_numpy(markov.split.train_rows(markov.interactions)[[5, 0, 700, 5]])


def test_opinions_are_cosines_over_both_temperatures(knowledge: TeacherKnowledge, rows: torch.Tensor) -> None:
    candidates = torch.tensor([2, 3, 40])
    found = TeacherPanel(knowledge.teachers, CPU).opinions(rows, candidates)
    assert bool(found.present.all())
    for number, teacher in enumerate(knowledge.with_vectors):
        users, _ = teacher.users_at(rows.numpy())
        scale = teacher.entry.temperature * teacher.entry.calibration
        assert torch.allclose(found.logits[number], users @ teacher.items[candidates].T / scale)


def test_a_blocked_candidate_gets_no_probability(knowledge: TeacherKnowledge, rows: torch.Tensor) -> None:
    blocked = torch.tensor([[True, False, False], [False, True, True], [False] * 3, [False] * 3])
    found = TeacherPanel(knowledge.teachers, CPU).opinions(rows, torch.tensor([1, 2, 3]), blocked).log_p(2.0)
    assert not found.exp()[:, blocked].any()
    assert torch.allclose(found.exp().sum(dim=-1), torch.ones(2, 4))
    assert torch.allclose(found[:, 1, 0], torch.zeros(2))  # the only one open is certain


def test_a_row_that_no_teacher_scored_is_said_to_be_absent(knowledge: TeacherKnowledge) -> None:
    first_row_of_user = torch.tensor([0])  # nothing came before it, so nobody was asked
    panel = TeacherPanel(knowledge.teachers, CPU)
    found = panel.opinions(first_row_of_user, torch.tensor([1, 2]))
    assert not found.present.any()
    assert bool(found.logits.isfinite().all())


def test_rows_may_be_asked_about_candidates_of_their_own(knowledge: TeacherKnowledge, rows: torch.Tensor) -> None:
    panel = TeacherPanel(knowledge.teachers, CPU)
    own = torch.tensor([[1, 2], [40, 3], [7, 7], [5, 1]])
    everything = panel.opinions(rows, torch.arange(1, 41)).logits
    wanted = everything.gather(2, (own - 1).expand(2, -1, -1))
    assert torch.allclose(panel.opinions(rows, own).logits, wanted, atol=1e-4)
