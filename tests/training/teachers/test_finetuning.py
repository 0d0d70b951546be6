import math

import torch

from training.batches import Batch
from training.causal_encoder import CausalEncoderConfig
from training.teachers.finetuning import softmax_over_catalogue
from training.teachers.unisrec import UniSRec, UniSRecConfig

BATCH = Batch(torch.tensor([[0, 2, 3], [1, 2, 4]]), torch.tensor([[0, 0, 4], [2, 0, 1]]), torch.zeros(2, 3).long())


def teacher() -> UniSRec:
    torch.manual_seed(0)
    encoder = CausalEncoderConfig(width=8, inner=16, max_history=3)
    return UniSRec(UniSRecConfig(encoder=encoder, experts=2, text_width=6), torch.randn(5, 6)).eval()


def test_it_is_the_mean_negative_log_likelihood_of_cosines_over_tau() -> None:
    model = teacher()
    items, states = model.item_matrix(), model.hidden(BATCH.history)
    total = 0.0
    for line, place, target in ((0, 2, 4), (1, 0, 2), (1, 2, 1)):
        scores = [states[line, place].dot(items[item]).item() / model.temperature for item in range(1, 5)]
        total -= scores[target - 1] - math.log(sum(map(math.exp, scores)))  # PAD is no candidate
    found = softmax_over_catalogue(model, BATCH)
    assert found.rows == 3
    assert math.isclose(found.mean.item(), total / 3, rel_tol=1e-4)


def test_every_part_learns_and_every_gradient_is_finite() -> None:
    model = teacher().train()
    gradients = torch.autograd.grad(softmax_over_catalogue(model, BATCH).mean, list(model.parameters()))
    for (name, _), one in zip(model.named_parameters(), gradients, strict=True):
        assert bool(one.isfinite().all()), name
        assert one.any(), name
