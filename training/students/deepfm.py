"""DeepFM (Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from training.config import Config
from training.dropout import Dropout
from training.students.base import Student
from training.students.fm import FM, FMConfig
from training.students.item_fields import ItemFields
from training.two_tower import CausalTwoTower

_ITEM_FIELDS = 3
"""Item, category, brand."""
_PAIRS = 2**13
"""How many pairs are scored at once over a whole catalogue: 4 MB a layer, which a processor's cache holds."""


class DeepFMConfig(Config):
    """Sizes of the student."""

    fm: FMConfig = Field(default_factory=FMConfig)
    """The part that finds candidates; its factors are the deep part's input too."""
    inner: int = Field(default=128, ge=1)
    """Width of each layer of the deep part."""
    layers: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Behind each layer of the deep part; the same units for all candidates of a history."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """All that the score of a pair needs of its history."""

    user: Tensor
    """float[..., D], the user vector of the FM"""
    fields: Tensor
    """float[..., F d], the factors of the context's fields side by side"""

    def at(self, where: Tensor) -> Contexts:
        """Those where a mask bool[...] is true, in its order: R of them."""
        return Contexts(self.user[where], self.fields[where])


@dataclass(frozen=True, eq=False)
class Offered:
    """All that the score of a pair needs of its item."""

    vector: Tensor
    """float[..., D], the item vector of the FM"""
    first: Tensor
    """float[..., inner], what the item brings to the first layer of the deep part"""

    def at(self, items: Tensor) -> Offered:
        """Some items int64[...] out of those of a whole catalogue."""
        return Offered(nn.functional.embedding(items, self.vector), nn.functional.embedding(items, self.first))


class DeepFM(Student, CausalTwoTower):
    """score(history, item) = FM(history, item) + MLP(factors of all fields of both) (equations 1 to 4, without the
    sigmoid, which ranks nothing).

    As a two-tower model it is its FM alone, the part that is a dot product: `hidden`, `encode` and `item_matrix` find
    candidates. The student's own scores are those of `pair_scores`, of which `rerank` and `catalogue_scores` are two
    forms. The last layer has no bias: it would be the same for every item.

    The first layer of the MLP is linear in the concatenation, so it is the sum of a map of the context and a map of the
    item: each is computed once per context and once per item, and not once per pair.
    """

    def __init__(self, config: DeepFMConfig, fields: ItemFields) -> None:
        """Make a student for the N items of the fields."""
        super().__init__()
        self.config = config
        self.max_history = config.fm.max_history
        self.fm = FM(config.fm, fields)
        self.context_width = (config.fm.recent + 1) * config.fm.width  # F d
        self.first = nn.Linear(self.context_width + _ITEM_FIELDS * config.fm.width, config.inner)
        between = (part for _ in range(config.layers - 1) for part in (*_bend(config), _square(config)))
        self.rest = nn.Sequential(*between, *_bend(config), nn.Linear(config.inner, 1, bias=False))

    def hidden(self, history: Tensor) -> Tensor:
        """The FM's: float[B, L, D] for int64[B, L]."""
        return self.fm.hidden(history)  # [B, L, D]

    def item_matrix(self) -> Tensor:
        """The FM's: float[N+1, D]."""
        return self.fm.item_matrix()  # [N+1, D]

    def contexts(self, history: Tensor) -> Contexts:
        """After every position of left-padded histories int64[B, L]: of shape [B, L]."""
        fields = self.fm.context_fields(history)  # [B, L, F, d]
        return Contexts(self.fm.user_vector(fields.sum(dim=2)), fields.flatten(2))

    def offered(self, items: Tensor) -> Offered:
        """Of some items int64[...]; PAD is an item of which nothing is known."""
        fields = self.fm.item_fields(items).flatten(-2)  # [..., 3 d]
        first = nn.functional.linear(fields, self.first.weight[:, self.context_width :])  # [..., inner]
        return Offered(self.fm.item_vectors(items), first)

    def offered_catalogue(self) -> Offered:
        """Of every item, [N+1]: made once where more pairs than items are scored."""
        return self.offered(torch.arange(self.fm.category_of.shape[0], device=self.fm.category_of.device))

    def scores(self, context: Contexts, offered: Offered) -> Tensor:
        """float[R, C] of contexts [R] and the items offered to each, [R, C], or [1, C] for the same to all."""
        weight = self.first.weight[:, : self.context_width]  # [inner, F d]
        seen = nn.functional.linear(context.fields, weight, self.first.bias)  # [R, inner]
        deep: Tensor = self.rest(seen[:, None] + offered.first)  # [R, C, 1]
        wide = offered.vector @ context.user[:, :, None]  # [R, C, 1]
        return (wide + deep).squeeze(2)  # [R, C]

    def pair_scores(self, context: Contexts, candidates: Tensor) -> Tensor:
        """float[R, C] of contexts [R] and candidates int64[R, C], or int64[1, C] for the same in every row."""
        return self.scores(context, self.offered(candidates))  # [R, C]

    def rerank(self, history: Tensor, candidates: Tensor) -> Tensor:
        """float[B, C] for whole histories int64[B, L] and candidates int64[B, C] (or [1, C])."""
        return self.pair_scores(self._last_context(history), candidates)  # [B, C]

    def catalogue_scores(self, history: Tensor, pairs: int = _PAIRS) -> Tensor:
        """float[B, N+1], about `pairs` of them at a time."""
        last, every = self._last_context(history), self.offered_catalogue()  # [B], [N+1]
        size = max(1, pairs // max(1, len(history)))  # C
        chunks = zip(torch.split(every.vector, size), torch.split(every.first, size), strict=True)
        return torch.cat([self.scores(last, Offered(*one)) for one in chunks], dim=1)  # [B, N+1]

    def _last_context(self, history: Tensor) -> Contexts:
        everywhere = self.contexts(history)  # [B, L]
        return Contexts(everywhere.user[:, -1], everywhere.fields[:, -1])  # [B]


class _RowDropout(Dropout):
    """Units are dropped for all candidates of a history alike: they are compared by one and the same thinned network,
    and coins are thrown once a row, not once a pair."""

    def forward(self, states: Tensor) -> Tensor:
        """float[R, C, inner] -> float[R, C, inner]."""
        if not self.training:
            return states
        return states * super().forward(torch.ones_like(states[:, :1]))  # [R, C, inner]


def _bend(config: DeepFMConfig) -> tuple[nn.Module, nn.Module]:
    return nn.ReLU(), _RowDropout(config.dropout)


def _square(config: DeepFMConfig) -> nn.Module:
    return nn.Linear(config.inner, config.inner)
