from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.fitting import FitConfig
from training.sequences import sequences_at
from training.teachers.recformer.finetuning import CatalogueSoftmax, RecformerFinetuneConfig
from training.teachers.recformer.recformer import Recformer

Build = Callable[..., Recformer]
CONFIG = RecformerFinetuneConfig(fit=FitConfig(epochs=1, rows_per_batch=16, device="cpu"))


@pytest.fixture
def model(build: Build, markov: Dataset) -> Recformer:
    return build(items=markov.items)


def moved(model: Recformer) -> None:
    """Change what every sentence says."""
    with torch.no_grad():
        model.embeddings.norm.weight.mul_(torch.linspace(0.1, 3, model.width))


def test_it_is_the_mean_negative_log_likelihood_of_cosines_over_tau(model: Recformer, markov: Dataset) -> None:
    stage = CatalogueSoftmax(model, markov, CONFIG, renew=True)
    (chosen, *_) = stage.epoch(np.random.default_rng(0))
    found = stage.loss(stage.batch(chosen), 1)
    asked = sequences_at(markov.interactions, chosen, model.max_history)
    with torch.no_grad():
        scores = model.encode(torch.from_numpy(asked.history.copy())) @ model.items[1:].T / model.temperature
    rows = zip(scores.tolist(), asked.target.tolist(), strict=True)
    wanted = [math.log(sum(map(math.exp, line))) - line[target - 1] for line, target in rows]
    assert found.rows == chosen.size
    assert found.mean.item() == pytest.approx(float(np.mean(wanted)), rel=1e-4)


def test_the_first_stage_reads_all_items_anew_every_epoch(model: Recformer, markov: Dataset) -> None:
    stage = CatalogueSoftmax(model, markov, CONFIG, renew=True)
    stage.epoch(np.random.default_rng(0))
    before = model.items.clone()
    moved(model)
    stage.epoch(np.random.default_rng(1))
    assert not torch.allclose(model.items, before, atol=1e-2)
    with torch.no_grad():
        assert torch.allclose(model.items, model.read_items(), atol=1e-6)


def test_the_second_stage_leaves_them_as_they_are(model: Recformer, markov: Dataset) -> None:
    model.keep_items()
    before = model.items.clone()
    moved(model)
    CatalogueSoftmax(model, markov, CONFIG, renew=False).epoch(np.random.default_rng(0))
    assert torch.equal(model.items, before)


def test_items_are_not_learnt(model: Recformer, markov: Dataset) -> None:
    stage = CatalogueSoftmax(model, markov, CONFIG, renew=True)
    (chosen, *_) = stage.epoch(np.random.default_rng(0))
    stage.loss(stage.batch(chosen), 1).mean.backward()  # type: ignore[no-untyped-call]
    assert not model.items.requires_grad
    assert model.items.grad is None
    assert model.embeddings.items.weight.grad is not None


def test_an_epoch_is_one_train_target_of_each_user_or_of_some(model: Recformer, markov: Dataset) -> None:
    for limit, wanted in ((None, 300), (40, 40)):
        config = CONFIG.model_copy(update={"examples_per_epoch": limit})
        rows = np.concatenate(
            list(CatalogueSoftmax(model, markov, config, renew=False).epoch(np.random.default_rng(0)))
        )
        assert rows.size == np.unique(markov.interactions.user[rows]).size == wanted
        assert np.isin(rows, markov.split.train_rows(markov.interactions)).all()
