"""FM (Rendle, "Factorization Machines", ICDM 2010): the feature-interaction student."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.config import Config
from training.dropout import Dropout
from training.students.base import Student
from training.students.compaction import at_places, compacted
from training.students.item_fields import UNKNOWN, ItemFields
from training.two_tower import CausalTwoTower


class FMConfig(Config):
    """Sizes of the student."""

    width: int = Field(default=16, ge=1)
    """d: numbers per factor. User and item vectors have D = d + 1."""
    recent: int = Field(default=5, ge=1)
    """How many of the newest items are fields of their own, beside the mean of all."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Of the numbers of the context."""
    max_history: int = Field(default=50, ge=1)
    """L: how many of the newest items are read."""
    init_std: float = Field(default=0.05, gt=0)
    """Standard deviation of the factors at the start."""


class FM(Student, CausalTwoTower):
    """Every pair of active features interacts: score = sum_f w_f x_f + sum_{f < g} <v_f, v_g> x_f x_g (equation 1).

    Features of the context: the newest items, one field per place; the mean of the history, 1 / n for each of its n
    items. Features of the item: its id, category and brand. There is no user id: it would have to be learnt anew for
    every event and every new user, and a live history must count at once.

    Sums over pairs separate. With s = sum of x_f v_f over the context and t = the same over the item,

        score = a + w_c + <s, t> + const_c,

    where w_c is the item's linear term, const_c its pairs among themselves, and `a` what the context says by itself:
    the same for every item, so neither ranking nor softmax can see it. It is left out, and with it the context's
    linear weights, which would learn nothing. The user vector is [s; 1] and the item vector [t; w_c + const_c].

    Of the two ways to tell the places of the newest items apart, a table per place or one table scaled by the place,
    this is the second: behaviour is sparse (on Amazon Scientific an item is met 13 times), and a table per place would
    split what is met among five of them.
    """

    def __init__(self, config: FMConfig, fields: ItemFields) -> None:
        """Make a student for the N items of the fields."""
        super().__init__()
        self.config = config
        self.max_history = config.max_history
        self.recent = _table(fields.items, config.width, config.init_std)
        self.history = _table(fields.items, config.width, config.init_std)
        self.item = _table(fields.items, config.width, config.init_std)
        self.category = _table(fields.categories, config.width, config.init_std)
        self.brand = _table(fields.brands, config.width, config.init_std)
        self.item_bias = _table(fields.items, 1)
        self.category_bias = _table(fields.categories, 1)
        self.brand_bias = _table(fields.brands, 1)
        self.place = nn.Parameter(1 / torch.arange(1, config.recent + 1))  # [recent], newest first
        self.dropout = Dropout(config.dropout)
        self.category_of: Tensor
        self.brand_of: Tensor
        self.register_buffer("category_of", torch.tensor(fields.category), persistent=False)  # [N+1]
        self.register_buffer("brand_of", torch.tensor(fields.brand), persistent=False)  # [N+1]

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D] for int64[B, L]."""
        items, seen = compacted(history)  # [B, L] each
        context = self._newest(items).sum(dim=0) + self._mean(items)  # [B, L, d]
        return self.user_vector(at_places(context, context.new_zeros(context.shape[2]), seen))  # [B, L, D]

    def user_vector(self, context: Tensor) -> Tensor:
        """float[..., D] of the sum of the context's fields, float[..., d]."""
        context = self.dropout(context)  # [..., d]
        return torch.cat([context, torch.ones_like(context[..., :1])], dim=-1)  # [..., D]

    def context_fields(self, history: Tensor) -> Tensor:
        """x_f v_f of every field of the context, the newest item first and the mean last: float[B, L, F, d]."""
        items, seen = compacted(history)  # [B, L] each
        fields = torch.cat([self._newest(items), self._mean(items)[None]])  # [F, B, L, d]
        flat = fields.permute(1, 2, 0, 3).flatten(2)  # [B, L, F d]
        found = at_places(flat, flat.new_zeros(flat.shape[2]), seen)  # [B, L, F d]
        return found.view(*history.shape, fields.shape[0], fields.shape[3])  # [B, L, F, d]

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.item_vectors(torch.arange(self.category_of.shape[0], device=self.category_of.device))

    def item_vectors(self, items: Tensor) -> Tensor:
        """float[..., D] of some items int64[...]."""
        item, category, brand = self.item_fields(items).unbind(dim=-2)  # [..., d] each
        pairs = (item * category + item * brand + category * brand).sum(dim=-1, keepdim=True)  # [..., 1]
        categories, brands = self.category_of[items], self.brand_of[items]  # [...] each
        linear = self.item_bias(items) + self.category_bias(categories) + self.brand_bias(brands)  # [..., 1]
        return torch.cat([item + category + brand, linear + pairs], dim=-1)  # [..., D]

    def item_fields(self, items: Tensor) -> Tensor:
        """The factors of some items int64[...], their categories and their brands: float[..., 3, d]."""
        categories, brands = self.category_of[items], self.brand_of[items]  # [...] each
        return torch.stack([self.item(items), self.category(categories), self.brand(brands)], dim=-2)  # [..., 3, d]

    def _newest(self, items: Tensor) -> Tensor:
        """The newest items after every one of compacted histories, each scaled by its place: float[recent, B, L, d]."""
        length, recent = items.shape[1], self.place.numel()
        factors = nn.functional.pad(self.recent(items), (0, 0, recent - 1, 0))  # [B, recent - 1 + L, d]
        shifted = (factors[:, recent - 1 - k : recent - 1 - k + length] for k in range(recent))  # [B, L, d] each
        return torch.stack([self.place[k] * one for k, one in enumerate(shifted)])  # [recent, B, L, d]

    def _mean(self, items: Tensor) -> Tensor:
        """The mean of compacted histories up to every item: float[B, L, d]."""
        count = torch.arange(1, items.shape[1] + 1, device=items.device)  # [L]
        mean: Tensor = self.history(items).cumsum(dim=1) / count[:, None]  # [B, L, d]
        return mean


def _table(values: int, width: int, std: float = 0.0) -> nn.Embedding:
    """One row per value of a field; what is unknown, and PAD, is no active feature: zero, and never learnt."""
    table = nn.Embedding(values + 1, width, padding_idx=PAD)
    nn.init.normal_(table.weight, std=std)
    nn.init.zeros_(table.weight[UNKNOWN].detach())
    return table
