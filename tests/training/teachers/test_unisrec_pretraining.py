from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.batches import WindowBatches
from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.unisrec import UniSRec, UniSRecConfig
from training.teachers.unisrec_pretraining import UniSRecPretrainConfig, UniSRecPretraining


@pytest.fixture
def corpus(markov: Dataset) -> Corpus:
    return Corpus.of([markov])


@pytest.fixture
def model(corpus: Corpus, small_encoder: CausalEncoderConfig) -> UniSRec:
    torch.manual_seed(0)
    return UniSRec(UniSRecConfig(encoder=small_encoder, experts=2, text_width=corpus.text.values.shape[1]), corpus.text)


def recipe(rows: int = 64, **changes: float) -> UniSRecPretrainConfig:
    fit = {"rows_per_batch": rows}
    return UniSRecPretrainConfig.model_validate({"sequence_weight": 1.0, "fit": fit, **changes})


@pytest.mark.parametrize("item_drop", [0.0, 1.0])
def test_each_kind_of_second_view_teaches(corpus: Corpus, model: UniSRec, item_drop: float) -> None:
    objective = UniSRecPretraining(model, corpus, recipe(256, item_drop_probability=item_drop))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for turn in range(3):
        epoch = []
        for chosen in objective.epoch(np.random.default_rng(turn)):
            step = objective.loss(objective.batch(chosen), turn)
            optimizer.zero_grad()
            step.mean.backward()  # type: ignore[no-untyped-call]
            assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in model.parameters())
            optimizer.step()
            epoch.append(step.mean.item())
        losses.append(np.mean(epoch))
    assert losses[-1] < 0.9 * losses[0]


def test_without_the_second_task_it_is_the_first_alone(corpus: Corpus, model: UniSRec) -> None:
    model.eval()
    batch = next(WindowBatches(corpus.windows(model.max_history), 64).in_order())
    found = UniSRecPretraining(model, corpus, recipe(sequence_weight=0)).loss(batch, 1)
    items, label = model.raw_item_matrix(), batch.target[batch.asked]
    users = model.raw_hidden(batch.history, items)[batch.asked]
    wanted = info_nce(users, items[label], label, model.temperature)
    assert torch.allclose(found.mean, wanted, atol=1e-5)
    assert found.rows == label.numel()


@pytest.mark.parametrize("changes", [{"item_drop_probability": 1, "item_drop_ratio": 0}, {"item_drop_probability": 0}])
def test_a_view_from_which_nothing_is_missing_is_the_history_itself(
    corpus: Corpus, model: UniSRec, changes: dict[str, float]
) -> None:
    """Items: none dropped. Words: all items read again, from texts with no word missing."""
    model.eval()
    (dataset,) = corpus.datasets
    whole = Corpus.of([replace(dataset, text_word_drop=dataset.text)])
    batch = next(WindowBatches(corpus.windows(model.max_history), 64).in_order())
    both, first = (
        UniSRecPretraining(model, whole, recipe(64, sequence_weight=weight, word_drop_share=1, **changes)).loss(
            batch, 1
        )
        for weight in (1.0, 0.0)
    )
    users = model.raw_hidden(batch.history, model.raw_item_matrix())[batch.asked]
    wanted = info_nce(users, users, batch.target[batch.asked], model.temperature)
    assert torch.allclose(both.mean - first.mean, wanted, atol=1e-4)
