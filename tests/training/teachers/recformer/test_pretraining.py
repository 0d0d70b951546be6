from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.fitting import FitConfig
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.recformer.pretraining import RecformerPretrainConfig, RecformerPretraining
from training.teachers.recformer.recformer import Recformer

Build = Callable[..., Recformer]
FIT = FitConfig(epochs=1, rows_per_batch=32, device="cpu")


@pytest.fixture
def corpus(markov: Dataset, noise: Dataset) -> Corpus:
    return Corpus.of([markov, noise])


def objective(build: Build, corpus: Corpus, **changes: object) -> tuple[Recformer, RecformerPretraining]:
    model = build(items=corpus.items)
    recipe = RecformerPretrainConfig.model_validate({"fit": FIT, "freeze_words": False} | changes)
    return model, RecformerPretraining(model, corpus, recipe)


def test_without_words_it_is_contrastive_learning_of_histories_and_next_items(build: Build, corpus: Corpus) -> None:
    model, pretraining = objective(build, corpus, word_weight=0)
    (chosen, *_) = pretraining.epoch(np.random.default_rng(0))
    found = pretraining.loss(pretraining.batch(chosen), 1)
    histories = [markov_history(corpus, int(place), model.max_history) for place in chosen]
    users = torch.cat([model.encode(history) for history, _ in histories])
    target = torch.tensor([target for _, target in histories])
    wanted = info_nce(users, model.item_matrix()[target], target, model.temperature)
    assert torch.allclose(found.mean, wanted, atol=1e-4)
    assert found.rows == chosen.size


def markov_history(corpus: Corpus, place: int, length: int) -> tuple[torch.Tensor, int]:
    """An example, looked up in its data set."""
    which = int(place >= len(corpus.datasets[0].interactions))
    row = place - which * len(corpus.datasets[0].interactions)
    interactions, moved = corpus.datasets[which].interactions, int(corpus.starts[which])
    first = max(int(interactions.offsets[interactions.user[row]]), row - length)
    return torch.from_numpy(interactions.item[first:row].astype(np.int64) + moved)[None], int(
        interactions.item[row]
    ) + moved


def test_the_words_task_is_added_with_its_weight(build: Build, corpus: Corpus) -> None:
    losses = {}
    for weight in (0.0, 0.1, 1.0):
        _, pretraining = objective(build, corpus, word_weight=weight)
        (chosen, *_) = pretraining.epoch(np.random.default_rng(0))
        torch.manual_seed(0)
        losses[weight] = pretraining.loss(pretraining.batch(chosen), 1).mean.item()
    assert losses[0.1] - losses[0.0] == pytest.approx(0.1 * (losses[1.0] - losses[0.0]), rel=1e-3)
    assert 4 < losses[1.0] - losses[0.0] < 9  # about ln 515, for nothing is learnt yet


@pytest.mark.parametrize("freeze", [True, False])
def test_both_tasks_reach_the_backbone_and_frozen_words_stay(build: Build, corpus: Corpus, *, freeze: bool) -> None:
    model, pretraining = objective(build, corpus, freeze_words=freeze)
    (chosen, *_) = pretraining.epoch(np.random.default_rng(0))
    pretraining.loss(pretraining.batch(chosen), 1).mean.backward()  # type: ignore[no-untyped-call]
    without = {name for name, one in model.named_parameters() if one.grad is None}
    assert without == ({"embeddings.words.weight"} if freeze else set())
    assert all(one.grad.isfinite().all() for one in model.parameters() if one.grad is not None)
    query = model.get_parameter("backbone.layers.0.attention.self.query.weight")
    assert query.grad is not None
    assert query.grad.any()


def test_an_epoch_is_one_example_of_each_user_of_all_data_sets(build: Build, corpus: Corpus) -> None:
    _, pretraining = objective(build, corpus)
    steps = pretraining.epoch(np.random.default_rng(0))
    assert sum(one.size for one in steps) == 600
    assert max(one.size for one in steps) <= 32
    _, bounded = objective(build, corpus, examples_per_epoch=50)
    first, second = (np.concatenate(list(bounded.epoch(np.random.default_rng(seed)))) for seed in (0, 1))
    assert first.size == second.size == 50
    assert set(first) != set(second)


def test_an_epoch_is_the_same_whenever_it_is_drawn(build: Build, corpus: Corpus) -> None:
    _, pretraining = objective(build, corpus)
    first, second = (pretraining.epoch(np.random.default_rng((0, 3))) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_part_of_the_rows_can_stand_for_all_in_the_words_task(build: Build, corpus: Corpus) -> None:
    _, pretraining = objective(build, corpus, word_rows=0.25, word_share=0.9)
    (chosen, *_) = pretraining.epoch(np.random.default_rng(0))
    assert pretraining.loss(pretraining.batch(chosen), 1).mean.isfinite()


def test_a_batch_without_a_hidden_word_has_no_words_loss(build: Build, corpus: Corpus) -> None:
    _, rare = objective(build, corpus, word_share=1e-9)
    _, never = objective(build, corpus, word_weight=0)
    (chosen, *_) = rare.epoch(np.random.default_rng(0))
    found, wanted = (one.loss(one.batch(chosen), 1).mean for one in (rare, never))
    assert torch.allclose(found, wanted)
