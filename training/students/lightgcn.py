"""LightGCN (He et al., "LightGCN: Simplifying and Powering Graph Convolution Network", SIGIR 2020): the student of a
graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.config import Config
from training.students.adjacency import Adjacency
from training.students.base import Student, seed_table
from training.students.user_graph import UserGraph
from training.two_tower import TwoTower


class LightGCNConfig(Config):
    """Sizes of the student."""

    width: int = Field(default=64, ge=1)
    """D."""
    layers: int = Field(default=2, ge=1)
    """K: how many times vectors are propagated."""
    max_history: int = Field(default=50, ge=1)
    """L: how many of the newest items are read when serving; training reads the whole graph."""
    init_std: float = Field(default=0.1, gt=0)
    """Standard deviation of the vectors at the start."""


class LightGCN(Student):
    """Vectors of users and items, smoothed over the graph of who met what; the mean over all K + 1 layers is read.

    e_u^(k+1) = sum_{i in N_u} e_i^(k) / sqrt(|N_u| |N_i|) and the same the other way round (equation 3); vectors are
    e = sum_k e^(k) / (K + 1) (equation 4 with its uniform weights).

    Training knows users as nodes (`propagated`). Serving knows a history only, of somebody who may be new or has met
    more since: `encode` takes the history for the neighbours of a node that is not in the graph. As the rule above asks
    for e_i^(k) alone, that is a sum over one table,

        encode(history) = sum_{i in history} H_i / sqrt(|history|),   H_i = sum_{k < K} e_i^(k) / (sqrt(|N_i|) (K + 1)),

    and exactly the trained vector of a user with these neighbours but for the term e_u^(0) / (K + 1), what was learnt
    of that one person beside the neighbours: it is lost, new users never had one, and the live history gets in for it.
    A history is a set here, as neighbours are: order and repeats say nothing. An item that nobody met in training
    has no neighbours to be smoothed with: H_i is zero.
    """

    def __init__(self, config: LightGCNConfig, graph: UserGraph) -> None:
        """Make a student for the users and items of a graph."""
        super().__init__()
        self.config = config
        self.max_history = config.max_history
        self.layers = config.layers
        self.users = nn.Embedding(graph.users, config.width)
        self.items = nn.Embedding(graph.items + 1, config.width, padding_idx=PAD)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=config.init_std)
        nn.init.zeros_(self.items.weight[PAD].detach())
        self.edge: Tensor
        self.edge_weight: Tensor
        self.item_weight: Tensor
        ends = torch.stack([torch.tensor(graph.user), torch.tensor(graph.item)])  # [2, E]
        met = torch.tensor(graph.item_degree)  # [N+1]
        self._adjacency: Adjacency | None = None
        self.register_buffer("edge", ends, persistent=False)
        self.register_buffer("edge_weight", torch.tensor(graph.weight, dtype=torch.float32), persistent=False)  # [E]
        self.register_buffer("item_weight", torch.where(met > 0, met.clamp(min=1) ** -0.5, 0.0), persistent=False)

    def propagated(self) -> tuple[Tensor, Tensor]:
        """The vectors of the graph's users float[U, D] and of all items float[N+1, D]."""
        users, items = self._layers()
        return torch.stack(users).mean(dim=0), torch.stack(items).mean(dim=0)  # [U, D], [N+1, D]

    def squared_length(self, user: Tensor, item: Tensor) -> Tensor:
        """Half the squared length of vectors before propagation, by edge: what the L2 penalty is put on (equation 15).

        Args:
            user: int64[B].
            item: int64[E] catalogue indices; as often as an item is met it counts.
        """
        total: Tensor = self.users(user).square().sum() + self.items(item).square().sum()  # []
        half: Tensor = 0.5 * total / max(item.numel(), 1)  # []
        return half

    def encode(self, history: Tensor) -> Tensor:
        """float[B, D] for int64[B, L]. Propagates: for many calls take `prepared` or `served`."""
        return pooled(self.input_table(), history)  # [B, D]

    def prepared(self) -> Callable[[Tensor], Tensor]:
        """What `encode` does, over a graph that is propagated once."""
        table = self.input_table()  # [N+1, D]
        return lambda history: pooled(table, history)  # [B, D]

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.propagated()[1]  # [N+1, D]

    def input_table(self) -> Tensor:
        """H float[N+1, D]: what each item brings to the vector of a user who met it."""
        items = torch.stack(self._layers()[1][:-1]).sum(dim=0)  # [N+1, D]
        return self.item_weight[:, None] * items / (self.layers + 1)  # [N+1, D]

    def served(self) -> TwoTower:
        """The same answers without the graph: two tables of numbers, as they stand now."""
        with torch.no_grad():
            return ServedLightGCN(self.input_table(), self.item_matrix(), self.max_history).eval()

    def seed_items(self, components: Tensor) -> None:
        """Begin with these item vectors, before propagation."""
        seed_table(self.items, components)

    def _layers(self) -> tuple[list[Tensor], list[Tensor]]:
        """e^(0) to e^(K) of users, float[U, D] each, and of items, float[N+1, D] each."""
        users, items = [self.users.weight], [self.items.weight]
        graph = self._graph()
        for _ in range(self.layers):
            at_users, at_items = graph.at_users(items[-1]), graph.at_items(users[-1])
            users.append(at_users)  # [U, D]
            items.append(at_items)  # [N+1, D]
        return users, items

    def _graph(self) -> Adjacency:
        """The train graph where the weights are: compressed when it is first asked for there, and kept."""
        if self._adjacency is None or not self._adjacency.is_like(self.edge_weight):
            size = (self.users.num_embeddings, self.items.num_embeddings)
            self._adjacency = Adjacency.of(self.edge, self.edge_weight, size)
        return self._adjacency


class ServedLightGCN(TwoTower):
    """What is left of a LightGCN that learns no more: a lookup and a sum."""

    def __init__(self, inputs: Tensor, items: Tensor, max_history: int) -> None:
        """From H float[N+1, D] and the item vectors float[N+1, D]."""
        super().__init__()
        self.max_history = max_history
        self.inputs: Tensor
        self.items: Tensor
        self.register_buffer("inputs", inputs)
        self.register_buffer("items", items)

    def encode(self, history: Tensor) -> Tensor:
        """float[B, D] for int64[B, L]."""
        return pooled(self.inputs, history)  # [B, D]

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.items  # [N+1, D]


def pooled(table: Tensor, history: Tensor) -> Tensor:
    """sum_{i in history} table_i / sqrt(|history|), every item once: float[B, D]; zero where nothing is.

    Args:
        table: float[N+1, D], zero at PAD.
        history: int64[B, L].
    """
    earlier = torch.ones(history.shape[1], history.shape[1], dtype=torch.bool, device=history.device).tril(-1)  # [L, L]
    repeated = ((history[:, :, None] == history[:, None, :]) & earlier).any(dim=2)  # [B, L]
    counted = ((history != PAD) & ~repeated).to(table.dtype)  # [B, L]
    weight = counted * counted.sum(dim=1, keepdim=True).clamp(min=1).rsqrt()  # [B, L]
    return (weight[..., None] * table[history]).sum(dim=1)  # [B, D]
