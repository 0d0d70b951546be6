from pathlib import Path

import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.rows import study_row
from training.distillation.teacher_panel import TeacherPanel
from training.knowledge import TeacherKnowledge

CPU = torch.device("cpu")


@pytest.fixture
def knowledge(markov: Dataset, both_known: Path) -> TeacherKnowledge:
    return TeacherKnowledge.read(both_known, markov)


@pytest.fixture
def rows(markov: Dataset) -> torch.Tensor:
    return torch.from_numpy(markov.split.train_rows(markov.interactions)[[5, 0, 700, 5]])


def test_a_row_of_the_study_says_who_is_heard(knowledge: TeacherKnowledge) -> None:
    first, second = knowledge.teachers
    heard = {name: TeacherPanel(knowledge, study_row(name), CPU).heard for name in ("A1", "A2", "A4", "A7")}
    assert heard == {"A1": (first,), "A2": (second,), "A4": (first, second), "A7": (first, second)}


def test_a_teacher_that_the_cache_has_not_is_refused(knowledge: TeacherKnowledge) -> None:
    with pytest.raises(ConfigError, match="row A3 hears teacher 3, the cache holds 2"):
        TeacherPanel(knowledge, study_row("A3"), CPU)


def test_opinions_are_cosines_over_both_temperatures(knowledge: TeacherKnowledge, rows: torch.Tensor) -> None:
    candidates = torch.tensor([2, 3, 40])
    found = TeacherPanel(knowledge, study_row("A7"), CPU).opinions(
        rows, torch.zeros(4, 3, dtype=torch.bool), candidates
    )
    assert bool(found.present.all())
    for number, teacher in enumerate(knowledge.teachers):
        users, _ = teacher.users_at(rows.numpy())
        scale = teacher.entry.temperature * teacher.entry.calibration
        assert torch.allclose(found.logits[number], users @ teacher.items()[candidates].T / scale)


def test_a_blocked_candidate_gets_no_probability(knowledge: TeacherKnowledge, rows: torch.Tensor) -> None:
    blocked = torch.tensor([[True, False, False], [False, True, True], [False] * 3, [False] * 3])
    found = TeacherPanel(knowledge, study_row("A7"), CPU).opinions(rows, blocked, torch.tensor([1, 2, 3])).log_p(2.0)
    assert not found.exp()[:, blocked].any()
    assert torch.allclose(found.exp().sum(dim=-1), torch.ones(2, 4))
    assert torch.allclose(found[:, 1, 0], torch.zeros(2))  # the only one open is certain


def test_a_row_that_no_teacher_scored_is_said_to_be_absent(knowledge: TeacherKnowledge) -> None:
    first_row_of_user = torch.tensor([0])  # nothing came before it, so nobody was asked
    panel = TeacherPanel(knowledge, study_row("A7"), CPU)
    found = panel.opinions(first_row_of_user, torch.zeros(1, 2, dtype=torch.bool), torch.tensor([1, 2]))
    assert not found.present.any()
    assert bool(found.logits.isfinite().all())
