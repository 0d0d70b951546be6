from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from training.distillation.answers import Answers
from training.distillation.drawn_candidates import draw_candidates
from training.distillation.pair_answers import PairAnswers
from training.distillation.row_gate import RowGate, RowGateConfig
from training.distillation.soft_targets import SoftTargets
from training.distillation.tutors.pair_soft_target_tutor import PairSoftTargetTutor
from training.distillation.tutors.soft_target_tutor import SoftTargetTutor

ROWS, ITEMS = 6, 40
ROW = torch.arange(100, 100 + ROWS)
TARGET = torch.tensor([1, 7, 7, 20, 39, 40])


def soft(top: int) -> SoftTargets:
    """What teachers say of all rows but the last; what they do not name is left over evenly."""
    logits = 2 * torch.randn(ROWS - 1, ITEMS, generator=torch.Generator().manual_seed(1))
    log_p, item = logits.log_softmax(dim=1).topk(top, dim=1)
    nothing = np.zeros(ROWS - 1, dtype=np.float32)
    return SoftTargets(
        row=ROW[:-1].numpy(),
        item=(item + 1).numpy().astype(np.int32),
        log_p=log_p.numpy().astype(np.float16),
        label_nll=nothing,
        weight=np.ones((ROWS - 1, 1), dtype=np.float16),
        agreement=nothing + 1,
        teachers_nll=nothing,
        consistency=nothing + 1,
    )


def over_candidates(score: Tensor, targets: SoftTargets, others: int) -> PairAnswers:
    """Of scores of the whole catalogue, float[R, N]."""
    torch.manual_seed(2)
    drawn = draw_candidates(torch.zeros(ROWS, ITEMS), TARGET, targets.at(ROW), others)
    return PairAnswers(ROW, drawn, score.gather(1, drawn.item - 1), ITEMS)


def some_scores() -> Tensor:
    return torch.randn(ROWS, ITEMS, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("top", [ITEMS, 9])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_over_the_whole_catalogue_it_says_what_is_said_to_every_student(top: int, temperature: float) -> None:
    """A student with a user vector for each row, whose item vectors are unit vectors, has any scores one likes."""
    score, targets = some_scores(), soft(top)
    items = torch.cat([torch.zeros(1, ITEMS), torch.eye(ITEMS)])  # [N+1, N]
    whole = Answers(ROW, TARGET, lambda: ROW[:, None], score, items)
    wanted = SoftTargetTutor(targets, temperature, None).loss(whole)
    found = PairSoftTargetTutor(targets, temperature, None).loss(over_candidates(score, targets, ITEMS - 1))
    assert float(found) == pytest.approx(float(wanted), rel=2e-3)


@pytest.mark.parametrize("others", [3, 12, 30])
def test_whoever_says_the_same_has_nothing_to_learn_whatever_was_drawn(others: int) -> None:
    targets = soft(9)
    said = targets.at(ROW)
    kept = said.log_p.exp()  # [R, K]
    each = ((1 - kept.sum(dim=1, keepdim=True)) / (ITEMS - 9)).log().expand(-1, ITEMS)  # [R, N]
    score = each.scatter(1, said.item - 1, said.log_p)  # [R, N]
    loss = PairSoftTargetTutor(targets, 1.0, None).loss(over_candidates(score + 5.0, targets, others))
    assert float(loss) == pytest.approx(0.0, abs=1e-4)
    apart = PairSoftTargetTutor(targets, 1.0, None).loss(over_candidates(some_scores(), targets, others))
    assert float(apart) > 0.01


def test_gradients_are_finite_and_a_row_that_no_teacher_scored_has_none() -> None:
    score, targets = some_scores().requires_grad_(), soft(9)
    PairSoftTargetTutor(targets, 1.0, None).loss(over_candidates(score, targets, 12)).backward()  # type: ignore[no-untyped-call]
    assert score.grad is not None
    assert bool(torch.isfinite(score.grad).all())
    assert bool(score.grad[:-1].any(dim=1).all())
    assert not bool(score.grad[-1].any())


def test_a_gate_closes_rows_that_the_student_knows_better() -> None:
    targets = soft(9)
    gate = RowGate(targets.agreement, targets.label_nll + 100, RowGateConfig())  # teachers that are always worse
    tutor = PairSoftTargetTutor(targets, 1.0, gate)
    assert float(tutor.loss(over_candidates(some_scores(), targets, 12))) > 0  # not met before: open
    assert float(tutor.loss(over_candidates(some_scores(), targets, 12))) == 0
