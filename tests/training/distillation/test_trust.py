"""The prior over teachers: the likeliest mixture of what they said of held-out answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.dataset import Dataset
from training.distillation.trust import fit_trust, teacher_trust
from training.knowledge import TeacherKnowledge


def likelihood_of(trust: torch.Tensor, p: torch.Tensor) -> float:
    return float((trust[:, None] * p).sum(dim=0).log().mean())


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 4), st.integers(1, 30), st.integers(0, 1000))
def test_no_other_prior_makes_the_answers_likelier(teachers: int, rows: int, seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    p = torch.rand(teachers, rows, generator=source, dtype=torch.float64) + 0.01
    trust = fit_trust(p)
    assert trust.sum() == pytest.approx(1, abs=1e-6)
    others = torch.distributions.Dirichlet(torch.ones(teachers)).sample((50,)).double()
    assert likelihood_of(trust, p) >= max(likelihood_of(one, p) for one in others) - 1e-3


def test_teachers_change_places_and_so_does_their_trust() -> None:
    p = torch.rand(3, 40, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(fit_trust(p[order]), fit_trust(p)[order], atol=1e-6)


def test_who_is_always_right_is_trusted_and_who_never_is_is_not() -> None:
    p = torch.stack([torch.full((20,), 0.9), torch.full((20,), 0.001)])
    assert fit_trust(p)[0] > 0.99


def test_a_teacher_is_trusted_by_held_out_rows(markov: Dataset, both_known: Path) -> None:
    teachers = TeacherKnowledge.read(both_known, markov).teachers
    trust = teacher_trust(markov, teachers)
    assert trust.shape == (2,)
    assert trust.sum() == pytest.approx(1, abs=1e-5)
