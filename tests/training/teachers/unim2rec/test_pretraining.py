from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from service.bundle import PAD
from training.batches import Batch, WindowBatches
from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.features.item_features import ItemFeatures
from training.fitting import FitConfig
from training.teachers.contrastive import info_nce
from training.teachers.corpus import Corpus
from training.teachers.unim2rec.content import ItemContent
from training.teachers.unim2rec.pretraining import UniM2RecPretrainConfig, UniM2RecPretraining
from training.teachers.unim2rec.unim2rec import UniM2Rec, UniM2RecConfig

Gradients = dict[str, Tensor]
OFF = {"text_weight": 0.0, "image_weight": 0.0, "alignment_weight": 0.0, "sequence_weight": 0.0}


@pytest.fixture
def corpus(pictured: Dataset) -> Corpus:
    return Corpus.of([pictured])


def model_of(corpus: Corpus, **changes: object) -> UniM2Rec:
    torch.manual_seed(0)
    encoder = CausalEncoderConfig(width=16, inner=32, layers=1, heads=2, dropout=0.1, max_history=8)
    config = UniM2RecConfig(encoder=encoder, experts=2).model_copy(update=changes).reading(corpus)
    model = UniM2Rec(config, ItemContent.of(corpus, config.widths)).eval()
    for name, one in model.named_parameters():
        if name.startswith(("domain", "preference", "fusion.gate")):  # they start at 0
            torch.nn.init.normal_(one, std=0.1)
    return model


def objective(model: UniM2Rec, corpus: Corpus, **changes: float) -> UniM2RecPretraining:
    fit = FitConfig(epochs=1, rows_per_batch=256)
    return UniM2RecPretraining(model, corpus, UniM2RecPretrainConfig.model_validate({**OFF, "fit": fit, **changes}))


def first_batch(corpus: Corpus) -> Batch:
    return next(WindowBatches(corpus.windows(8), 64).in_order())


def share(model: UniM2Rec, corpus: Corpus, batch: Batch, term: str) -> tuple[float, Gradients]:
    """What one task adds at weight 1, and the gradient of that."""
    with_it, without = (objective(model, corpus, **{term: weight}).loss(batch, 1).mean for weight in (1.0, 0.0))
    names = [name for name, _ in model.named_parameters()]
    found = torch.autograd.grad(with_it - without, list(model.parameters()), allow_unused=True)
    gradients = {name: torch.zeros(1) if one is None else one for name, one in zip(names, found, strict=True)}
    return (with_it - without).item(), gradients


def learning(gradients: Gradients) -> set[str]:
    """Parts with a gradient beyond rounding."""
    return {name.split(".weight")[0] for name, one in gradients.items() if one.abs().max() > 1e-5}


def test_each_task_is_its_formula(corpus: Corpus) -> None:
    model, batch = model_of(corpus), first_batch(corpus)
    items = model.raw_item_matrix()
    label = batch.target[batch.asked]
    users = model.raw_hidden(batch.history, items)[batch.asked]
    adapted = model.adapt(torch.arange(corpus.size + 1))
    fused = info_nce(users, items[label], label, model.temperature)
    assert torch.allclose(objective(model, corpus).loss(batch, 1).mean, fused, atol=1e-5)

    for place, term in enumerate(("text_weight", "image_weight")):
        rows = adapted.present[label, place]
        assert not rows.all()
        wanted = info_nce(users[rows], adapted.vectors[label[rows], place], label[rows], model.temperature)
        assert share(model, corpus, batch, term)[0] == pytest.approx(wanted.item(), abs=1e-4)

    met = torch.cat([batch.history.flatten(), label]).unique()  # type: ignore[no-untyped-call]
    both = met[adapted.present[met].all(dim=1)]
    wanted = info_nce(adapted.vectors[both, 0], adapted.vectors[both, 1], both, model.temperature)
    assert share(model, corpus, batch, "alignment_weight")[0] == pytest.approx(wanted.item(), abs=1e-4)


@pytest.mark.parametrize(
    ("term", "taught", "left"),
    [
        ("text_weight", ("fusion.adaptors.text", "encoder", "domain", "preference", "fusion.gate"), ()),
        ("image_weight", ("fusion.adaptors.image", "encoder", "domain", "preference", "fusion.gate"), ()),
        (
            "alignment_weight",
            ("fusion.adaptors.text", "fusion.adaptors.image"),
            ("encoder", "domain", "preference", "fusion.gate", "fusion.missing"),
        ),
        ("sequence_weight", ("fusion.adaptors.text", "fusion.adaptors.image", "encoder", "domain"), ()),
    ],
)
def test_each_task_teaches_what_it_should(
    corpus: Corpus, term: str, taught: tuple[str, ...], left: tuple[str, ...]
) -> None:
    torch.manual_seed(0)
    _, gradients = share(model_of(corpus), corpus, first_batch(corpus), term)
    assert all(bool(one.isfinite().all()) for one in gradients.values())
    for part in taught:
        assert any(name.startswith(part) for name in learning(gradients)), part
    assert not [name for name in learning(gradients) if name.startswith(left or ("nothing",))]


def test_where_no_row_has_a_picture_nothing_is_learnt_of_pictures(pictured: Dataset) -> None:
    """One item that is in no train window has a picture: the model has the adaptor, and no batch reads it."""
    windows = Corpus.of([pictured]).windows(8)
    hidden = 3
    keep = ~((windows.history == hidden) | (windows.target == hidden)).any(axis=1)
    assert pictured.image is not None
    present = np.zeros_like(pictured.image.present)
    present[hidden] = True
    image = ItemFeatures(pictured.image.values * present[:, None], present, pictured.image.encoder)
    corpus = Corpus.of([replace(pictured, image=image)])
    model = model_of(corpus)
    batch = Batch(*(torch.from_numpy(part[keep][:20]) for part in (windows.history, windows.target, windows.row)))
    for term in ("image_weight", "alignment_weight"):
        value, gradients = share(model, corpus, batch, term)
        assert value == pytest.approx(0, abs=1e-6)
        assert not learning(gradients)
    whole = objective(model, corpus, **dict.fromkeys(OFF, 1.0)).loss(batch, 1).mean
    whole.backward()  # type: ignore[no-untyped-call]
    adaptor = model.fusion.adaptors["image"]
    assert all(one.grad is None or not one.grad.any() for one in adaptor.parameters())


@pytest.mark.parametrize("changes", [{"item_drop_probability": 1, "item_drop_ratio": 0}, {"item_drop_probability": 0}])
def test_a_view_from_which_nothing_is_missing_is_the_history_itself(
    pictured: Dataset, changes: dict[str, float]
) -> None:
    """Items: none dropped. Words: all items read again, from texts with no word missing."""
    corpus = Corpus.of([replace(pictured, text_word_drop=pictured.text)])
    model, batch = model_of(corpus), first_batch(corpus)
    both, first = (
        objective(model, corpus, sequence_weight=weight, word_drop_share=1, **changes).loss(batch, 1).mean
        for weight in (1.0, 0.0)
    )
    users = model.raw_hidden(batch.history, model.raw_item_matrix())[batch.asked]
    wanted = info_nce(users, users, batch.target[batch.asked], model.temperature)
    assert torch.allclose(both - first, wanted, atol=1e-4)


def test_missing_words_are_read(corpus: Corpus) -> None:
    """Only the second view reads them: another text there changes the task."""
    other = replace(corpus.datasets[0], text_word_drop=replace(corpus.text_word_drop, values=-corpus.text.values))
    model, batch = model_of(corpus), first_batch(corpus)
    views = {"item_drop_probability": 0, "word_drop_share": 1}
    for weight, moves in ((1.0, True), (0.0, False)):
        found, changed = (
            objective(model, one, sequence_weight=weight, **views).loss(batch, 1).mean
            for one in (corpus, Corpus.of([other]))
        )
        assert bool((found - changed).abs() > 1e-3) == moves


def test_of_one_modality_alone_it_is_what_unisrec_learns(markov: Dataset) -> None:
    """Two tasks: the others would say the first again."""
    corpus = Corpus.of([markov])
    model, batch = model_of(corpus), first_batch(corpus)
    assert model.fusion.names == ("text",)
    found = objective(model, corpus, text_weight=1, image_weight=1, alignment_weight=1).loss(batch, 1)
    label = batch.target[batch.asked]
    items = model.raw_item_matrix()
    users = model.raw_hidden(batch.history, items)[batch.asked]
    assert torch.allclose(found.mean, info_nce(users, items[label], label, model.temperature), atol=1e-5)
    assert found.rows == int((batch.target != PAD).sum())


@pytest.mark.parametrize("item_drop", [0.0, 1.0])
def test_it_teaches(corpus: Corpus, item_drop: float) -> None:
    model = model_of(corpus).train()
    learnt = objective(model, corpus, **dict.fromkeys(OFF, 1.0), item_drop_probability=item_drop)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for turn in range(3):
        epoch = []
        for chosen in learnt.epoch(np.random.default_rng(turn))[:12]:
            step = learnt.loss(learnt.batch(chosen), turn)
            optimizer.zero_grad()
            step.mean.backward()  # type: ignore[no-untyped-call]
            assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in model.parameters())
            optimizer.step()
            epoch.append(step.mean.item())
        losses.append(np.mean(epoch))
    assert losses[-1] < 0.95 * losses[0]
