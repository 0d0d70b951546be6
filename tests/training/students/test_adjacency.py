"""Products with a compressed graph against those with the whole matrix, values and gradients."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.students.adjacency import Adjacency


def drawn(users: int, items: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    whole = torch.rand(users, items, generator=source) * (torch.rand(users, items, generator=source) < 0.4)
    edge = whole.nonzero().T
    return whole, edge, whole[edge[0], edge[1]]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 10_000))
def test_both_ways_are_products_with_the_whole_matrix(users: int, items: int, seed: int) -> None:
    whole, edge, weight = drawn(users, items, seed)
    graph = Adjacency.of(edge, weight, (users, items))
    for found, matrix, size in ((graph.at_users, whole, items), (graph.at_items, whole.T, users)):
        dense = torch.randn(size, 3, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        given_back = torch.randn(matrix.shape[0], 3, generator=torch.Generator().manual_seed(seed + 1))
        product = found(dense)
        assert torch.allclose(product, matrix @ dense, atol=1e-6)
        (gradient,) = torch.autograd.grad((product * given_back).sum(), dense)
        assert torch.allclose(gradient, matrix.T @ given_back, atol=1e-6)


def test_a_graph_without_edges_brings_nothing() -> None:
    graph = Adjacency.of(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0), (3, 4))
    assert not graph.at_users(torch.ones(4, 2)).any()
    assert not graph.at_items(torch.ones(3, 2)).any()
    assert graph.is_like(torch.zeros(1))
    assert not graph.is_like(torch.zeros(1, dtype=torch.float64))
