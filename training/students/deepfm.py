"""DeepFM (Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from training.config import Config
from training.students.base import Student
from training.students.fm import FM, FMConfig
from training.students.item_fields import ItemFields
from training.two_tower import CausalTwoTower

_ITEM_FIELDS = 3
"""Item, category, brand."""
_PAIRS = 2**16
"""How many pairs are scored at once over a whole catalogue: 33 MB a layer."""


class DeepFMConfig(Config):
    """Sizes of the student."""

    fm: FMConfig = Field(default_factory=FMConfig)
    """The part that finds candidates; its factors are the deep part's input too."""
    inner: int = Field(default=128, ge=1)
    """Width of each layer of the deep part."""
    layers: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Behind each layer of the deep part."""


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

    def pair_scores(self, context: Contexts, candidates: Tensor) -> Tensor:
        """float[R, C].

        Args:
            context: of shape [R].
            candidates: int64[R, C], or int64[1, C] for the same in every row; PAD is scored as an item of which nothing
                is known.
        """
        weight, width = self.first.weight, self.context_width  # [inner, F d + 3 d]
        seen = nn.functional.linear(context.fields, weight[:, :width], self.first.bias)  # [R, inner]
        fields = self.fm.item_fields(candidates).flatten(2)  # [R or 1, C, 3 d]
        offered = nn.functional.linear(fields, weight[:, width:])  # [R or 1, C, inner]
        deep: Tensor = self.rest(seen[:, None] + offered)  # [R, C, 1]
        wide = self.fm.item_vectors(candidates) @ context.user[:, :, None]  # [R, C, 1]
        return (wide + deep).squeeze(2)  # [R, C]

    def rerank(self, history: Tensor, candidates: Tensor) -> Tensor:
        """float[B, C] for whole histories int64[B, L] and candidates int64[B, C] (or [1, C])."""
        everywhere = self.contexts(history)  # [B, L]
        return self.pair_scores(Contexts(everywhere.user[:, -1], everywhere.fields[:, -1]), candidates)  # [B, C]

    def catalogue_scores(self, history: Tensor, pairs: int = _PAIRS) -> Tensor:
        """float[B, N+1], about `pairs` of them at a time."""
        everywhere = self.contexts(history)  # [B, L]
        last = Contexts(everywhere.user[:, -1], everywhere.fields[:, -1])  # [B]
        everything = torch.arange(self.fm.category_of.shape[0], device=history.device)  # [N+1]
        size = max(1, pairs // max(1, len(history)))  # C
        chunks = (everything[None, start : start + size] for start in range(0, len(everything), size))  # [1, C] each
        return torch.cat([self.pair_scores(last, one) for one in chunks], dim=1)  # [B, N+1]


def _bend(config: DeepFMConfig) -> tuple[nn.Module, nn.Module]:
    return nn.ReLU(), nn.Dropout(config.dropout)


def _square(config: DeepFMConfig) -> nn.Module:
    return nn.Linear(config.inner, config.inner)
