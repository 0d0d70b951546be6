from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from export.graphs import write_encoder, write_retrieval
from export.parity import OnnxStudent, prove_parity
from service.bundle import PAD
from service.bundle.files import ENCODER
from training.students.fm import FM, FMConfig
from training.students.item_fields import ItemFields

ITEMS = 25
FIELDS = ItemFields(brand=np.arange(ITEMS + 1) % 4, category=np.arange(ITEMS + 1) // 2 % 6)
"""Items 4, 8, .. are of no brand, and items 1, 12, 13, 24, .. of no category."""
HISTORIES = torch.tensor(
    [[0, 0, 0, 0, 0, 0, 9, 3], [1, 2, 3, 2, 2, 2, 7, 8], [0, 4, 0, 4, 0, 9, 0, 0], [11, 12, 13, 14, 15, 16, 17, 24]]
)


def student(dropout: float = 0.0, init_std: float = 0.5, dtype: torch.dtype = torch.float32) -> FM:
    """With biases that are not zero, as they are after training."""
    torch.manual_seed(0)
    model = FM(FMConfig(width=6, max_history=8, dropout=dropout, init_std=init_std), FIELDS)
    for bias in (model.item_bias, model.category_bias, model.brand_bias):
        torch.nn.init.normal_(bias.weight[PAD + 1 :].detach())
    return model.to(dtype)


class Textbook:
    """Equation 1 of the paper, pair by pair, over one list of features; context features too have linear weights."""

    def __init__(self, model: FM) -> None:
        tables = (model.recent, model.history, model.item, model.category, model.brand)
        values = [one.weight.detach().double().numpy() for one in tables]
        biases = [
            one.weight.detach().double().numpy() for one in (model.item_bias, model.category_bias, model.brand_bias)
        ]
        context = np.random.default_rng(1).normal(size=(len(values[0]) + len(values[1]), 1))
        self.factors = np.concatenate(values)  # [F, d]
        self.linear = np.concatenate([context, *biases])[:, 0]  # [F]
        self.start = np.cumsum([0, *(len(one) for one in values)])
        self.place = model.place.detach().double().numpy()

    def score(self, history: list[int], item: int | None) -> float:
        """Of a user alone where there is no item."""
        value = self._context(history)
        if item is not None:
            for block, one in ((2, item), (3, int(FIELDS.category[item])), (4, int(FIELDS.brand[item]))):
                value[self.start[block] + one] += one != 0
        return self._sum(value)

    def _context(self, history: list[int]) -> NDArray[np.float64]:
        value = np.zeros(len(self.factors))
        items = [item for item in history if item != PAD]
        for place, item in enumerate(items[::-1][: len(self.place)]):
            value[self.start[0] + item] += self.place[place]
        for item in items:
            value[self.start[1] + item] += 1 / len(items)
        return value

    def _sum(self, value: NDArray[np.float64]) -> float:
        active = np.flatnonzero(value).tolist()
        pairs = ((f, g) for f in active for g in active if f < g)
        interactions = (self.factors[f] @ self.factors[g] * value[f] * value[g] for f, g in pairs)
        return float(self.linear @ value + sum(interactions))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dot_product_is_the_sum_over_all_pairs_less_what_the_user_says_alone(dtype: torch.dtype) -> None:
    model = student(dtype=dtype).eval()
    scores = model.encode(HISTORIES) @ model.item_matrix().T  # [B, N+1]
    textbook = Textbook(model)
    for row, history in enumerate(HISTORIES.tolist()):
        alone = textbook.score(history, None)
        wanted = [textbook.score(history, item) - alone for item in range(1, ITEMS + 1)]  # [N]
        assert np.allclose(
            scores[row, 1:].detach().numpy(), wanted, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12
        )


def test_histories_may_be_cut_to_their_longest_even_below_the_newest_places() -> None:
    model = student().eval()
    history = torch.tensor([[0, 0, 0, 0, 0, 0, 3, 7]])
    assert torch.equal(model.encode(history), model.encode(history[:, 6:]))


def test_an_empty_history_is_answered_by_what_the_items_say_alone() -> None:
    user = student().eval().encode(torch.zeros(1, 8, dtype=torch.long))
    assert user.tolist() == [[0.0] * 6 + [1.0]]


def test_dropout_is_of_training_alone_and_leaves_the_item_side_whole() -> None:
    model = student(dropout=0.5)
    assert not torch.equal(model.encode(HISTORIES), model.encode(HISTORIES))
    assert bool((model.encode(HISTORIES)[:, -1] == 1).all())
    model.eval()
    assert torch.equal(model.encode(HISTORIES), model.encode(HISTORIES))


def test_pad_and_the_unknown_are_zero_and_learn_nothing() -> None:
    model = student()
    assert not model.item_matrix()[PAD].any()
    tables = {name: one for name, one in model.named_parameters() if name != "place"}
    scores = model.hidden(HISTORIES) @ model.item_matrix()[PAD + 1 :].T
    gradients = torch.autograd.grad(scores.square().sum(), list(tables.values()))
    for name, table, gradient in zip(tables, tables.values(), gradients, strict=True):
        assert not table[PAD].any(), name
        assert not gradient[PAD].any(), name
        assert bool(gradient.any()), name


def test_parameters_are_the_tables_the_biases_and_the_places() -> None:
    rows = 3 * (ITEMS + 1) + (FIELDS.categories + 1) + (FIELDS.brands + 1)
    biases = (ITEMS + 1) + (FIELDS.categories + 1) + (FIELDS.brands + 1)
    assert student().parameters_count == 6 * rows + biases + 5


def test_weights_hold_nothing_of_the_catalogue() -> None:
    """What items are of comes with the data set."""
    assert {*student().state_dict()} == {name for name, _ in student().named_parameters()}


def test_the_served_graph_is_the_student(tmp_path: Path) -> None:
    model = student().eval()
    write_encoder(model, tmp_path / ENCODER)
    write_retrieval(model.item_matrix().detach().numpy()[PAD + 1 :], tmp_path)
    histories = np.random.default_rng(0).integers(0, ITEMS + 1, (40, 8))
    prove_parity(model, OnnxStudent.load(tmp_path), np.concatenate([histories, np.zeros((1, 8), np.int64)]))


def test_sizes_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="recent"):
        FMConfig(recent=0)
