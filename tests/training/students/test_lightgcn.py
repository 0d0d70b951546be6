from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from export.graphs import write_encoder, write_retrieval
from export.parity import OnnxStudent, prove_parity
from service.bundle import PAD
from service.bundle.files import ENCODER
from training.students.lightgcn import LightGCN, LightGCNConfig
from training.students.user_graph import UserGraph

USERS, ITEMS, WIDTH = 9, 12, 5
COLD = ITEMS
"""An item that nobody met."""


def graph() -> UserGraph:
    met = np.random.default_rng(0).random((USERS, ITEMS + 1)) < 0.4  # [U, N+1]
    met[:, [PAD, COLD]] = False
    met[USERS - 1] = False  # a user of whom nothing is known
    user, item = np.nonzero(met)
    return UserGraph(USERS, ITEMS, user, item)


def student(layers: int = 2) -> LightGCN:
    torch.manual_seed(0)
    return LightGCN(LightGCNConfig(width=WIDTH, layers=layers, max_history=8, init_std=1.0), graph())


def dense(model: LightGCN, layers: int) -> Tensor:
    """Equation 7 and 8 of the paper: powers of the normalised adjacency over all nodes, users first."""
    found = graph()
    adjacency = torch.zeros(USERS + ITEMS + 1, USERS + ITEMS + 1)
    for user, item in zip(found.user.tolist(), found.item.tolist(), strict=True):
        adjacency[user, USERS + item] = adjacency[USERS + item, user] = 1.0
    scale = adjacency.sum(dim=1).clamp(min=1) ** -0.5
    normalised = scale[:, None] * adjacency * scale
    vectors = torch.cat([model.users.weight, model.items.weight])
    powers = [torch.linalg.matrix_power(normalised, k) @ vectors for k in range(layers + 1)]
    return torch.stack(powers).mean(dim=0)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_propagation_is_the_papers_matrix_product(layers: int) -> None:
    model = student(layers)
    users, items = model.propagated()
    assert torch.allclose(torch.cat([users, items]), dense(model, layers), atol=1e-5)
    assert torch.equal(model.item_matrix(), items)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_history_is_the_trained_user_less_what_was_learnt_of_that_one_person(layers: int) -> None:
    model = student(layers)
    found, (users, _) = graph(), model.propagated()
    for user in range(USERS):
        met = found.item[found.user == user]
        history = torch.zeros(1, ITEMS, dtype=torch.long)
        history[0, ITEMS - met.size :] = torch.tensor(np.random.default_rng(user).permutation(met))
        wanted = users[user] - model.users.weight[user] / (layers + 1)
        assert torch.allclose(model.encode(history)[0], wanted, atol=1e-5)


def test_a_history_is_a_set_wherever_its_gaps_are() -> None:
    model = student()
    histories = torch.tensor([[0, 0, 0, 0, 0, 0, 3, 7], [7, 0, 3, 0, 7, 3, 3, 0]])
    first, second = model.encode(histories)
    assert torch.allclose(first, second, atol=1e-6)


def test_an_empty_history_and_one_of_unmet_items_say_nothing() -> None:
    users = student().encode(torch.tensor([[0] * 8, [0] * 7 + [COLD]]))
    assert not users.any()


def test_what_is_prepared_or_served_answers_the_same() -> None:
    model = student()
    histories = torch.randint(0, ITEMS + 1, (20, 8), generator=torch.Generator().manual_seed(0))
    served = model.served()
    assert torch.equal(model.prepared()(histories), model.encode(histories))
    assert torch.equal(served.encode(histories), model.encode(histories))
    assert torch.equal(served.item_matrix(), model.item_matrix())
    assert served.max_history == model.max_history
    assert served.parameters_count == 0  # nothing of it is trained


def test_what_is_served_stands_still() -> None:
    model = student()
    served, history = model.served(), torch.tensor([[0, 0, 0, 0, 0, 0, 3, 7]])
    before = served.encode(history)
    torch.nn.init.zeros_(model.items.weight.detach())
    torch.nn.init.zeros_(model.users.weight.detach())
    assert torch.equal(served.encode(history), before)
    assert not model.encode(history).any()


def test_both_ways_to_a_user_teach_the_vectors_and_pad_learns_nothing() -> None:
    model = student()
    users, items = model.propagated()
    live = model.encode(torch.tensor([[0, 0, 0, 0, 0, 0, 3, 7]]))
    for vectors in (users[:-1], live):
        loss = (vectors @ items[PAD + 1 :].T).square().sum()
        of_users, of_items = torch.autograd.grad(loss, [model.users.weight, model.items.weight], retain_graph=True)
        assert bool(of_users[:-1].any(dim=1).all())
        assert not of_items[PAD].any()
        assert bool(of_items[PAD + 1 :].any(dim=1).all())
    assert not items[PAD].any()


def test_the_penalty_is_on_the_vectors_before_propagation() -> None:
    model = student()
    user, item = torch.tensor([0, 4]), torch.tensor([3, 3, 5])
    e_u, e_i = model.users.weight.detach(), model.items.weight.detach()
    total = sum(float(one @ one) for one in (e_u[0], e_u[4], e_i[3], e_i[3], e_i[5]))
    assert model.squared_length(user, item).item() == pytest.approx(0.5 * total / 3)


def test_weights_are_the_two_tables_and_the_graph_comes_with_the_data_set() -> None:
    model = student()
    assert {*model.state_dict()} == {"users.weight", "items.weight"}
    assert model.parameters_count == (USERS + ITEMS + 1) * WIDTH


def test_the_served_graph_is_the_student_and_costs_a_lookup(tmp_path: Path) -> None:
    model = student().eval()
    write_encoder(model.served(), tmp_path / ENCODER)
    write_retrieval(model.item_matrix().detach().numpy()[PAD + 1 :], tmp_path)
    histories = np.random.default_rng(0).integers(0, ITEMS + 1, (40, 8))
    prove_parity(model, OnnxStudent.load(tmp_path), np.concatenate([histories, np.zeros((1, 8), np.int64)]))
    encoder = onnx.load(tmp_path / ENCODER)
    assert not {"MatMul", "Gemm", "ScatterElements", "ScatterND"} & {node.op_type for node in encoder.graph.node}
    tables = [one for one in encoder.graph.initializer if list(one.dims) == [ITEMS + 1, WIDTH]]
    assert len(tables) == 1
