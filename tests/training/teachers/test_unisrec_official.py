"""The published UniSRec: a file of the authors' form gives the numbers that their layers give.

Their layers (RecBole's SASRec, and UniSRec's adaptor) are written out below as they are defined, on histories that are
padded on the right, as theirs are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactMismatch, sha256_of
from training.causal_encoder import CausalEncoderConfig
from training.config import ConfigError
from training.dataset import Dataset
from training.teachers.corpus import Corpus
from training.teachers.steps import finetune, load_teacher
from training.teachers.unim2rec.kind import UniM2RecKind, UniM2RecRecipe
from training.teachers.unisrec import UniSRec, UniSRecConfig
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe

WIDTH, INNER, LAYERS, HEADS, LENGTH, EXPERTS, TEXT = 12, 20, 2, 3, 6, 3, 64
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Every tensor of their state dict, under their names, none of them 0 or 1."""
    shapes: dict[str, tuple[int, ...]] = {
        "position_embedding.weight": (LENGTH, WIDTH),
        "LayerNorm.weight": (WIDTH,),
        "LayerNorm.bias": (WIDTH,),
        "moe_adaptor.w_gate": (TEXT, EXPERTS),
        "moe_adaptor.w_noise": (TEXT, EXPERTS),
    }
    for expert in range(EXPERTS):
        shapes[f"moe_adaptor.experts.{expert}.bias"] = (TEXT,)
        shapes[f"moe_adaptor.experts.{expert}.lin.weight"] = (WIDTH, TEXT)
    for layer in range(LAYERS):
        attention, forward = (
            f"trm_encoder.layer.{layer}.multi_head_attention",
            f"trm_encoder.layer.{layer}.feed_forward",
        )
        for name in ("query", "key", "value", "dense"):
            shapes |= {f"{attention}.{name}.weight": (WIDTH, WIDTH), f"{attention}.{name}.bias": (WIDTH,)}
        shapes |= {f"{forward}.dense_1.weight": (INNER, WIDTH), f"{forward}.dense_1.bias": (INNER,)}
        shapes |= {f"{forward}.dense_2.weight": (WIDTH, INNER), f"{forward}.dense_2.bias": (WIDTH,)}
        for norm in (f"{attention}.LayerNorm", f"{forward}.LayerNorm"):
            shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    source = torch.Generator().manual_seed(4)
    return {name: 0.5 * torch.randn(shape, generator=source) for name, shape in shapes.items()}


@pytest.fixture
def foreign() -> Iterator[ModuleType]:
    """Where their configuration object comes from: a package that is not installed."""
    module = ModuleType("recbole_configurator")
    module.__dict__["Config"] = type("Config", (), {"__module__": module.__name__})
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


@pytest.fixture
def published(weights: Weights, foreign: ModuleType, tmp_path: Path) -> Path:
    """As their trainer writes it."""
    config = foreign.Config()
    config.final_config_dict = {"n_layers": LAYERS, "train_stage": "pretrain", "device": torch.device("cpu")}
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    path = tmp_path / "UniSRec-FHCKM-300.pth"
    page = {"config": config, "epoch": 299, "state_dict": weights, "optimizer": optimizer.state_dict()}
    torch.save(page, path)
    del sys.modules[foreign.__name__]
    return path


@pytest.fixture
def recipe(teacher_recipe: UniSRecRecipe) -> UniSRecRecipe:
    encoder = CausalEncoderConfig(width=WIDTH, inner=INNER, layers=LAYERS, heads=HEADS, dropout=0.1, max_history=LENGTH)
    return teacher_recipe.model_copy(update={"model": UniSRecConfig(encoder=encoder, experts=EXPERTS)})


def linear(weights: Weights, name: str, given: Tensor) -> Tensor:
    return given @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights: Weights, name: str, given: Tensor) -> Tensor:
    centred = given - given.mean(dim=-1, keepdim=True)
    deviation = (centred.square().mean(dim=-1, keepdim=True) + 1e-12).sqrt()
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def their_adaptor(weights: Weights, text: Tensor) -> Tensor:
    """PWLayer is lin(x - bias); the gate is a softmax over x W_gate."""
    gate = (text @ weights["moe_adaptor.w_gate"]).softmax(dim=-1)
    experts = [f"moe_adaptor.experts.{number}" for number in range(EXPERTS)]
    adapted = [(text - weights[f"{one}.bias"]) @ weights[f"{one}.lin.weight"].T for one in experts]
    return sum((gate[:, k : k + 1] * one for k, one in enumerate(adapted)), torch.zeros(len(text), WIDTH))


def their_attention(weights: Weights, name: str, states: Tensor, mask: Tensor) -> Tensor:
    query, key, value = (linear(weights, f"{name}.{part}", states) for part in ("query", "key", "value"))
    size, heads = WIDTH // HEADS, []
    for head in range(HEADS):
        mine = slice(head * size, (head + 1) * size)
        scores = query[..., mine] @ key[..., mine].transpose(-1, -2) / math.sqrt(size) + mask
        heads.append(scores.softmax(dim=-1) @ value[..., mine])
    mixed = linear(weights, f"{name}.dense", torch.cat(heads, dim=-1))
    return layer_norm(weights, f"{name}.LayerNorm", mixed + states)


def their_forward(weights: Weights, name: str, states: Tensor) -> Tensor:
    inner = linear(weights, f"{name}.dense_1", states)
    inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
    return layer_norm(weights, f"{name}.LayerNorm", linear(weights, f"{name}.dense_2", inner) + states)


def their_encoder(weights: Weights, items: Tensor, history: list[int]) -> Tensor:
    """One history, padded on the right; the state of its last item."""
    padded = torch.tensor([history + [0] * (LENGTH - len(history))])
    open_ = (padded > 0)[:, None] & torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    mask = (1.0 - open_.float()) * -10000.0
    states = layer_norm(weights, "LayerNorm", items[padded] + weights["position_embedding.weight"])
    for layer in range(LAYERS):
        name = f"trm_encoder.layer.{layer}"
        states = their_attention(weights, f"{name}.multi_head_attention", states, mask)
        states = their_forward(weights, f"{name}.feed_forward", states)
    return states[0, len(history) - 1]


def ours(path: Path, recipe: UniSRecRecipe, dataset: Dataset) -> UniSRec:
    return UniSRecKind().official(path, recipe, Corpus.of([dataset])).eval()


def test_items_are_adapted_as_theirs(published: Path, weights: Weights, recipe: UniSRecRecipe, markov: Dataset) -> None:
    found = ours(published, recipe, markov).item_matrix()[1:]
    text = torch.from_numpy(markov.text.values[1:].copy())
    assert torch.allclose(found, torch.nn.functional.normalize(their_adaptor(weights, text), dim=-1), atol=1e-5)


@pytest.mark.parametrize("history", [[7], [3, 9], [5, 1, 5, 20], [1, 2, 3, 4, 5, 6]])
def test_histories_are_encoded_as_theirs(
    published: Path, weights: Weights, recipe: UniSRecRecipe, markov: Dataset, history: list[int]
) -> None:
    model = ours(published, recipe, markov)
    items = their_adaptor(weights, torch.from_numpy(markov.text.values.copy()))
    wanted = torch.nn.functional.normalize(their_encoder(weights, items, history), dim=-1)
    left_padded = torch.tensor([[0] * (LENGTH - len(history)) + history])
    assert torch.allclose(model.encode(left_padded)[0], wanted, atol=1e-5)


def test_every_tensor_of_theirs_is_read(
    published: Path, weights: Weights, recipe: UniSRecRecipe, markov: Dataset
) -> None:
    """Change any one of them and the model is another one; the gate's noise alone is for training."""
    before = ours(published, recipe, markov).state_dict()
    for name, one in weights.items():
        torch.save({"state_dict": {**weights, name: one + 1}}, published)
        after = ours(published, recipe, markov).state_dict()
        changed = [ours_ for ours_ in before if not torch.equal(before[ours_], after[ours_]) and ours_ != "textless"]
        assert len(changed) == 1, name


def test_it_is_fitted_to_a_catalogue_like_any_pre_trained_teacher(
    published: Path, weights: Weights, recipe: UniSRecRecipe, markov: Dataset, tmp_path: Path
) -> None:
    record = finetune(UniSRecKind(), markov, recipe, tmp_path / "out", published)
    model, _ = load_teacher(tmp_path / "out", markov)
    assert record.started_from == sha256_of(published)
    assert isinstance(model, UniSRec)
    assert torch.equal(model.encoder.position.weight, weights["position_embedding.weight"])  # frozen, as they do
    gate = model.adaptor.gate
    assert not torch.equal(gate, weights["moe_adaptor.w_gate"])
    assert (gate - weights["moe_adaptor.w_gate"]).abs().max() < 1  # it learns on from theirs


def test_ids_and_anything_else_stay_behind(
    published: Path, weights: Weights, recipe: UniSRecRecipe, markov: Dataset
) -> None:
    torch.save({"state_dict": {**weights, "item_embedding.weight": torch.ones(9, WIDTH)}}, published)
    with_ids = recipe.model_copy(update={"model": recipe.model.model_copy(update={"item_ids": True})})
    assert ours(published, with_ids, markov).ids is None


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {one: tensor for one, tensor in weights.items() if one != name}


REFUSALS: dict[str, tuple[Callable[[Weights], Weights], str]] = {
    "no adaptor": (without("moe_adaptor.w_gate"), r"has no 'moe_adaptor\.w_gate', so it is no UniSRec checkpoint"),
    "too few layers": (
        without("trm_encoder.layer.1.multi_head_attention.query.weight"),
        r"has no 'trm_encoder\.layer\.1\.multi_head_attention\.query\.weight'",
    ),
    "other texts": (
        lambda weights: {**weights, "moe_adaptor.w_gate": torch.ones(TEXT + 1, EXPERTS)},
        rf"of other sizes than the recipe's \[model\]: adaptor\.gate \[{TEXT + 1}, {EXPERTS}\] there, .* here",
    ),
    "another model": (lambda weights: {"weight": torch.ones(2)}, "has no .*, so it is no UniSRec checkpoint"),
}


@pytest.mark.parametrize(("change", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_file_that_does_not_fit_is_refused_and_the_difference_is_named(
    published: Path,
    weights: Weights,
    recipe: UniSRecRecipe,
    markov: Dataset,
    tmp_path: Path,
    change: Callable[[Weights], Weights],
    message: str,
) -> None:
    torch.save({"state_dict": change(weights)}, published)
    with pytest.raises(ArtefactMismatch, match=f"{published.name}: {message}"):
        finetune(UniSRecKind(), markov, recipe, tmp_path / "out", published)
    assert not (tmp_path / "out").exists()


def test_more_layers_or_experts_than_the_recipe_are_not_dropped_in_silence(
    published: Path, recipe: UniSRecRecipe, markov: Dataset
) -> None:
    fewer_layers = recipe.model.model_copy(update={"encoder": recipe.model.encoder.model_copy(update={"layers": 1})})
    fewer_experts = recipe.model.model_copy(update={"experts": 2})
    for model in (fewer_layers, fewer_experts):
        with pytest.raises(ArtefactMismatch, match=rf"{published.name}: of other sizes than the recipe's \[model\]"):
            ours(published, recipe.model_copy(update={"model": model}), markov)


def test_half_a_file_is_refused(published: Path, recipe: UniSRecRecipe, markov: Dataset, tmp_path: Path) -> None:
    published.write_bytes(published.read_bytes()[:-100])
    with pytest.raises(ArtefactCorrupt, match=f"{published.name}: no whole checkpoint"):
        finetune(UniSRecKind(), markov, recipe, tmp_path / "out", published)


def test_a_kind_that_knows_no_published_file_says_so(published: Path, markov: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{published.name}: unim2rec knows no published file format"):
        finetune(UniM2RecKind(), markov, UniM2RecRecipe(), tmp_path / "out", published)
