import numpy as np
import pytest
import torch
from pydantic import ValidationError

from service.bundle import PAD
from training.dataset import Dataset
from training.evaluation.pair_scorer import PairScorer
from training.evaluation.scoring import scorer_of
from training.reranker import Reranker
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FM, FMConfig
from training.students.item_fields import ItemFields, item_fields

ITEMS = 25
FIELDS = ItemFields(brand=np.arange(ITEMS + 1) % 4, category=np.arange(ITEMS + 1) // 2 % 6)
HISTORIES = torch.tensor(
    [[0, 0, 0, 0, 0, 0, 9, 3], [1, 2, 3, 2, 2, 2, 7, 8], [0, 4, 0, 4, 0, 9, 0, 0], [11, 12, 13, 14, 15, 16, 17, 24]]
)
CANDIDATES = torch.tensor([[1, 2, 3, 4, 5], [25, 24, 23, 22, 25], [9, PAD, 8, PAD, 7], [PAD] * 5])


def sizes(dropout: float = 0.0) -> DeepFMConfig:
    return DeepFMConfig(fm=FMConfig(width=6, max_history=8, dropout=dropout, init_std=0.5), inner=16, dropout=dropout)


def student(dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> DeepFM:
    torch.manual_seed(0)
    return DeepFM(sizes(dropout), FIELDS).to(dtype)


def test_without_the_deep_part_it_is_the_fm() -> None:
    model = student().eval()
    last = model.rest[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.zeros_(last.weight)
    every = model.encode(HISTORIES) @ model.item_matrix().T  # [B, N+1]
    wanted = every.gather(1, CANDIDATES)  # [B, C]
    assert torch.allclose(model.rerank(HISTORIES, CANDIDATES), wanted, atol=1e-5)


def test_the_two_towers_are_those_of_a_plain_fm() -> None:
    model = student().eval()
    plain = FM(sizes().fm, FIELDS).eval()
    plain.load_state_dict(model.fm.state_dict())
    assert torch.equal(model.hidden(HISTORIES), plain.hidden(HISTORIES))
    assert torch.equal(model.item_matrix(), plain.item_matrix())


def test_the_deep_part_reads_the_factors_of_all_fields_side_by_side() -> None:
    """Written out for one pair: five newest items, the mean, item, category, brand; then layer by layer."""
    model = student(dtype=torch.float64).eval()
    fm, history, item = model.fm, [4, 4, 9], 14
    newest = [fm.place[k] * fm.recent.weight[one] for k, one in enumerate([9, 4, 4])]
    mean = torch.stack([fm.history.weight[one] for one in history]).mean(dim=0)  # [d]
    own = [fm.item.weight[item], fm.category.weight[FIELDS.category[item]], fm.brand.weight[FIELDS.brand[item]]]
    state = torch.cat([*newest, torch.zeros(12, dtype=torch.float64), mean, *own])  # [9 d]
    layers = [one for one in (model.first, *model.rest) if isinstance(one, torch.nn.Linear)]
    assert len(layers) == 3 + 1
    for layer in layers[:-1]:
        state = torch.relu(layer(state))  # [inner]
    wanted = layers[-1](state) + model.encode(HISTORIES[2:3])[0] @ model.item_matrix()[item]
    found = model.rerank(HISTORIES[2:3], torch.tensor([[item]]))  # [1, 1]
    assert found.item() == pytest.approx(wanted.item(), abs=1e-12)


def test_the_order_of_the_newest_items_changes_what_the_deep_part_says() -> None:
    model = student().eval()
    there, back = torch.tensor([[3, 9]]), torch.tensor([[9, 3]])
    assert not torch.allclose(model.rerank(there, CANDIDATES[:1]), model.rerank(back, CANDIDATES[:1]))


@pytest.mark.parametrize("pairs", [1, 7, 4 * ITEMS, 10_000])
def test_the_catalogue_in_chunks_is_the_catalogue_at_once(pairs: int) -> None:
    model = student(dtype=torch.float64).eval()
    everything = torch.arange(ITEMS + 1).expand(len(HISTORIES), -1)  # [B, N+1]
    found = model.catalogue_scores(HISTORIES, pairs)
    assert torch.allclose(found, model.rerank(HISTORIES, everything), rtol=0, atol=1e-12)
    assert bool(torch.isfinite(found).all())


def test_an_empty_history_and_pad_have_finite_scores() -> None:
    model = student().eval()
    assert bool(torch.isfinite(model.rerank(torch.zeros_like(HISTORIES), CANDIDATES)).all())


def test_contexts_of_one_pass_score_as_each_prefix_alone() -> None:
    """As training asks: R rows out of a batch, each with candidates of its own; as serving asks: one at a time."""
    model = student().eval()
    asked = HISTORIES != PAD  # [B, L]
    context = model.contexts(HISTORIES).at(asked)  # [R]
    rows = int(asked.sum())
    assert torch.allclose(context.user, model.hidden(HISTORIES)[asked], atol=1e-6)
    candidates = torch.randint(1, ITEMS + 1, (rows, 9), generator=torch.Generator().manual_seed(1))  # [R, C]
    found = model.pair_scores(context, candidates)  # [R, C]
    for row, (line, end) in enumerate(asked.nonzero().tolist()):
        prefix = torch.zeros(1, 8, dtype=torch.long)
        prefix[0, 7 - end :] = HISTORIES[line, : end + 1]
        assert torch.allclose(model.rerank(prefix, candidates[row : row + 1])[0], found[row], atol=1e-5)


def test_candidates_of_all_rows_are_given_once() -> None:
    model = student().eval()
    context = model.contexts(HISTORIES).at(HISTORIES != PAD)  # [R]
    shared = torch.tensor([[5, 1, 9]])
    each = model.pair_scores(context, shared.expand(len(context.user), -1))
    assert torch.allclose(model.pair_scores(context, shared), each, atol=1e-6)


def test_everything_learns_from_pairs_and_pad_does_not() -> None:
    model = student()
    context = model.contexts(HISTORIES).at(HISTORIES != PAD)  # [R]
    scores = model.pair_scores(context, torch.arange(1, ITEMS + 1)[None])  # [R, N]
    weights = dict(model.named_parameters())
    gradients = torch.autograd.grad(scores.square().sum(), list(weights.values()))
    for name, gradient in zip(weights, gradients, strict=True):
        assert bool(gradient.any()), name
        if name.endswith(("recent.weight", "history.weight", "item.weight", "item_bias.weight")):
            assert not gradient[PAD].any(), name


def test_dropout_is_of_training_alone() -> None:
    model = student(dropout=0.5)
    assert not torch.equal(model.rerank(HISTORIES, CANDIDATES), model.rerank(HISTORIES, CANDIDATES))
    model.eval()
    assert torch.equal(model.rerank(HISTORIES, CANDIDATES), model.rerank(HISTORIES, CANDIDATES))


def test_it_is_evaluated_by_its_pairs_and_an_fm_by_its_dot_product(markov: Dataset) -> None:
    rows = markov.split.test.row[:9]
    model = DeepFM(sizes(), item_fields(markov)).eval()
    found = scorer_of(model).scores(markov.interactions, rows)  # [E, N+1]
    assert isinstance(scorer_of(model), PairScorer)
    assert not isinstance(scorer_of(model.fm), PairScorer)
    for line, row in enumerate(rows.tolist()):
        first = int(markov.interactions.offsets[markov.interactions.user[row]])
        history = torch.tensor(markov.interactions.item[first:row].astype(np.int64))[None, -8:]  # [1, <= 8]
        assert np.allclose(found[line], model.catalogue_scores(history)[0].detach().numpy(), atol=1e-5)


def test_it_is_known_by_what_it_can_do() -> None:
    assert isinstance(student(), Reranker)
    assert not isinstance(student().fm, Reranker)


def test_weights_hold_nothing_of_the_catalogue() -> None:
    assert {*student().state_dict()} == {name for name, _ in student().named_parameters()}


def test_sizes_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="layers"):
        DeepFMConfig(layers=0)
