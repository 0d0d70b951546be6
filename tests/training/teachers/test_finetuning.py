from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from training.batches import Batch
from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.features.item_features import EncoderInfo, ItemFeatures
from training.fitting import FitConfig
from training.teachers.finetuning import CatalogueFinetuneConfig, catalogue_stages, softmax_over_catalogue
from training.teachers.steps import finetune, load_teacher
from training.teachers.unisrec import UniSRec, UniSRecConfig
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe

BATCH = Batch(torch.tensor([[0, 2, 3], [1, 2, 4]]), torch.tensor([[0, 0, 4], [2, 0, 1]]), torch.zeros(2, 3).long())


def teacher(*, item_ids: bool = False) -> UniSRec:
    """Of four items, the second of which has no text."""
    torch.manual_seed(0)
    present = torch.tensor([False, True, False, True, True])
    text = torch.where(present[:, None], torch.randn(5, 6), 0.0)
    features = ItemFeatures(text.numpy(), present.numpy(), EncoderInfo(name="six", fingerprint="6" * 64, width=6))
    encoder = CausalEncoderConfig(width=8, inner=16, max_history=3)
    return UniSRec(UniSRecConfig(encoder=encoder, experts=2, text_width=6, item_ids=item_ids), features).eval()


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


@pytest.mark.parametrize(("item_ids", "ids"), [(False, FitConfig(epochs=1)), (True, None)])
def test_without_ids_or_without_a_word_on_them_it_is_one_stage(
    markov: Dataset,
    item_ids: bool,  # noqa: FBT001
    ids: FitConfig | None,
) -> None:
    model = teacher(item_ids=item_ids)
    (stage,) = catalogue_stages(model, markov, CatalogueFinetuneConfig(ids=ids))
    assert stage.title == ""
    assert all(one.requires_grad for one in model.parameters())
    assert model.ids is None or model.ids.weight.any()


def test_ids_that_join_late_are_nothing_before(markov: Dataset) -> None:
    model = teacher(item_ids=True)
    ids = model.ids
    assert ids is not None
    late = FitConfig(epochs=7)
    stages = catalogue_stages(model, markov, CatalogueFinetuneConfig(ids=late))
    assert next(stages).title == "content"
    assert not ids.weight.any()
    assert [one.requires_grad for one in ids.parameters()] == [False]
    second = next(stages)
    assert (second.title, second.fit) == ("content and ids", late)
    assert [one.requires_grad for one in ids.parameters()] == [True]
    assert list(stages) == []


def test_a_content_stage_with_ids_learns_what_a_teacher_without_ids_learns(
    markov: Dataset, teacher_recipe: UniSRecRecipe, text_teacher: Path, tmp_path: Path
) -> None:
    """Ids that are 0 and stay 0 are as if there were none; then they join, and are no longer 0."""
    still = teacher_recipe.finetune.fit.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    recipe = teacher_recipe.model_copy(
        update={
            "model": teacher_recipe.model.model_copy(update={"item_ids": True}),
            "finetune": teacher_recipe.finetune.model_copy(update={"ids": still}),
        }
    )
    record = finetune(UniSRecKind(), markov, recipe, tmp_path)
    alone, alone_record = load_teacher(text_teacher, markov)
    found, _ = load_teacher(tmp_path, markov)
    assert [one.loss for one in record.curve[:-1]] == [one.loss for one in alone_record.curve]
    for name, one in alone.state_dict().items():
        if "textless" not in name:  # every item of these data has a text: it is never read, so it lies where it began
            assert torch.allclose(found.state_dict()[name], one, atol=1e-6), name
    assert found.state_dict()["ids.weight"].any()
