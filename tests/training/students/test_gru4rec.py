from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError

from export.graphs import write_encoder, write_retrieval
from export.parity import OnnxStudent, prove_parity
from service.bundle import PAD
from service.bundle.files import ENCODER
from training.students.gru4rec import GRU4Rec, GRU4RecConfig

ITEMS = 25
HISTORIES = torch.tensor(
    [[0, 0, 0, 0, 0, 0, 9, 3], [1, 2, 3, 2, 2, 2, 7, 8], [0, 4, 0, 4, 0, 9, 0, 0], [11, 12, 13, 14, 15, 16, 17, 24]]
)


def student(dropout: float = 0.0, layers: int = 2) -> GRU4Rec:
    torch.manual_seed(0)
    return GRU4Rec(GRU4RecConfig(width=6, inner=10, layers=layers, max_history=8, dropout=dropout), ITEMS)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_state_moves_by_the_items_that_are_there_and_by_nothing_else(layers: int) -> None:
    """Step by step, as the gates are defined: no padding, no gap, no batch."""
    model = student(layers=layers).eval()
    states = model.hidden(HISTORIES)
    for line, history in enumerate(HISTORIES.tolist()):
        state = torch.zeros(layers, 1, 10)
        for place, item in enumerate(history):
            if item != PAD:
                _, state = model.recurrence(model.items(torch.tensor([[item]])), state)
            assert torch.allclose(states[line, place], model.out(state[-1, 0]), atol=1e-6)


def test_an_empty_history_is_answered_by_the_state_at_rest() -> None:
    model = student().eval()
    user = model.encode(torch.zeros(1, 8, dtype=torch.long))
    assert torch.equal(user[0], model.out.bias)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_is_of_training_alone(layers: int) -> None:
    """Warnings are errors here: a dropout between layers where there is one layer would be heard."""
    model = student(dropout=0.5, layers=layers)
    assert not torch.equal(model.encode(HISTORIES), model.encode(HISTORIES))
    model.eval()
    assert torch.equal(model.encode(HISTORIES), model.encode(HISTORIES))


def test_pad_is_zero_and_learns_nothing() -> None:
    model = student()
    assert not model.item_matrix()[PAD].any()
    assert bool(model.item_matrix()[PAD + 1 :].any(dim=1).all())
    scores = model.hidden(HISTORIES) @ model.item_matrix()[PAD + 1 :].T
    gradients = torch.autograd.grad(scores.square().sum(), list(model.parameters()))
    for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert bool(gradient.any()), name
        assert name != "items.weight" or not gradient[PAD].any()


def test_one_table_is_read_as_input_and_as_output() -> None:
    model = student(layers=2)
    assert model.item_matrix() is model.items.weight
    gates = 3 * 10
    recurrence = gates * (6 + 10 + 2) + gates * (10 + 10 + 2)
    assert model.parameters_count == (ITEMS + 1) * 6 + recurrence + (10 + 1) * 6


def test_the_served_graph_is_the_student(tmp_path: Path) -> None:
    model = student().eval()
    write_encoder(model, tmp_path / ENCODER)
    write_retrieval(model.item_matrix().detach().numpy()[PAD + 1 :], tmp_path)
    histories = np.random.default_rng(0).integers(0, ITEMS + 1, (40, 8))
    prove_parity(model, OnnxStudent.load(tmp_path), np.concatenate([histories, np.zeros((1, 8), np.int64)]))


def test_the_served_graph_runs_each_layer_as_one_operator(tmp_path: Path) -> None:
    """A recurrence unrolled over L places would be slow to load and to run, and grow with L."""
    write_encoder(student(layers=2).eval(), tmp_path / ENCODER)
    operators = [node.op_type for node in onnx.load(tmp_path / ENCODER).graph.node]
    assert operators.count("GRU") == 2
    assert "Loop" not in operators
    assert len(operators) < 100


def test_sizes_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="inner"):
        GRU4RecConfig(inner=0)
