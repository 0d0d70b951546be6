import pytest
import torch
from torch import Tensor

from training.distillation.drawn_candidates import draw_candidates
from training.distillation.losses import next_item_loss
from training.distillation.pair_answers import PairAnswers
from training.distillation.tutors.pair_smoothing_tutor import PairSmoothingTutor

ITEMS = 120


def answers(score: Tensor, target: Tensor, others: int) -> PairAnswers:
    """Retrieval holds likely about what the score does."""
    drawn = draw_candidates(score * 0.7, target, None, others)
    return PairAnswers(target, drawn, score.gather(1, drawn.item - 1), score.shape[1])


def some(rows: int) -> tuple[Tensor, Tensor]:
    """Scores float[R, N] and answers int64[R]."""
    torch.manual_seed(0)
    return 2 * torch.randn(rows, ITEMS), torch.randint(1, ITEMS + 1, (rows,))


def test_over_the_whole_catalogue_it_is_the_softmax() -> None:
    score, target = some(9)
    found = answers(score, target, ITEMS - 1)
    assert float(found.nll.mean()) == pytest.approx(float(next_item_loss(score, target - 1)), abs=1e-4)
    assert torch.allclose(found.log_z, score.logsumexp(dim=1), atol=1e-4)


def test_over_drawn_candidates_the_sum_is_right_on_average_and_the_loss_near() -> None:
    score, target = (one.expand(3000, *one.shape[1:]) for one in some(1))
    found = answers(score, target, 16)
    whole = score[0].exp().sum()
    error = found.log_z.exp() / whole - 1  # [R]
    assert abs(float(error.mean())) < 5 * float(error.std()) / 3000**0.5
    assert float(error.std()) < 0.3
    assert float(found.nll.mean()) == pytest.approx(float(next_item_loss(score[:1], target[:1] - 1)), abs=0.05)


def test_smoothing_is_the_mean_over_the_catalogue() -> None:
    score, target = some(9)
    wanted = -score.log_softmax(dim=1).mean()
    assert float(PairSmoothingTutor().loss(answers(score, target, ITEMS - 1))) == pytest.approx(float(wanted), abs=1e-3)
    many = [float(PairSmoothingTutor().loss(answers(score, target, 16))) for _ in range(300)]
    assert sum(many) / 300 == pytest.approx(float(wanted), abs=0.1)
