"""The self-attention encoder under student and teacher alike (SASRec: Kang and McAuley, ICDM 2018, section III)."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from training.config import Config
from training.dropout import Dropout

_BLOCKED = -1e9
"""Added to the attention logit of a blocked pair. Finite: a row with no open pair (an all-PAD history) gives no NaN."""


class CausalEncoderConfig(Config):
    """Sizes of the encoder."""

    width: int = Field(default=64, ge=2)
    """D."""
    inner: int = Field(default=256, ge=1)
    """Width of the feed-forward layer."""
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    max_history: int = Field(default=50, ge=1)
    """L: how many of the newest items are read."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class CausalEncoder(nn.Module):
    """Item vectors in, a user vector after every item out; position t sees items 0..t only.

    Positions are counted from the oldest item that is present. A prefix inside a longer history therefore has the very
    vectors that it has alone: one pass over a history is exact for every prefix of it, and padding changes no answer.
    """

    def __init__(self, config: CausalEncoderConfig) -> None:
        super().__init__()
        self.position = nn.Embedding(config.max_history, config.width)
        self.norm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.apply(_initialise)

    def forward(self, items: Tensor, present: Tensor) -> Tensor:
        """Encode.

        Args:
            items: float[B, L, D], any value where nothing is present.
            present: bool[B, L]; gaps are allowed (an item dropped as augmentation is as if it had never been there).

        Returns:
            float[B, L, D].
        """
        index = (present.long().cumsum(dim=1) - 1).clamp(min=0)  # [B, L]
        states: Tensor = self.dropout(self.norm(items + self.position(index)))  # [B, L, D]
        blocked = _blocked_pairs(present).to(states.dtype) * _BLOCKED  # [B, 1, L, L]
        for block in self.blocks:
            states = block(states, blocked)  # [B, L, D]
        return states


def _blocked_pairs(present: Tensor) -> Tensor:
    """True where query i must not read key j: j lies in the future, or nothing is there. bool[B, 1, L, L]."""
    length = present.shape[1]
    future = torch.ones(length, length, dtype=torch.bool, device=present.device).triu(diagonal=1)  # [L, L]
    return (future[None] | ~present[:, None, :])[:, None]  # [B, 1, L, L]


class _Block(nn.Module):
    """Self-attention and feed-forward, each with dropout, residual and LayerNorm behind it."""

    def __init__(self, config: CausalEncoderConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.attention_dropout = Dropout(config.dropout)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.inner), nn.GELU(), nn.Linear(config.inner, width), Dropout(config.dropout)
        )
        self.feed_forward_norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = Dropout(config.dropout)

    def forward(self, states: Tensor, blocked: Tensor) -> Tensor:
        attended = self.attention_norm(states + self._attend(states, blocked))  # [B, L, D]
        out: Tensor = self.feed_forward_norm(attended + self.feed_forward(attended))  # [B, L, D]
        return out

    def _attend(self, states: Tensor, blocked: Tensor) -> Tensor:
        batch, length, width = states.shape
        split = self.query_key_value(states).view(
            batch, length, 3, self.heads, width // self.heads
        )  # [B, L, 3, H, D/H]
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each [B, H, L, D/H]
        mixed = self._mix(query, key, value, blocked)  # [B, H, L, D/H]
        joined = mixed.transpose(1, 2).reshape(batch, length, width)  # [B, L, D]
        out: Tensor = self.dropout(self.attention_out(joined))  # [B, L, D]
        return out

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, blocked: Tensor) -> Tensor:
        """Values by attention: float[B, H, L, D/H]."""
        if self.training and query.device.type == "cpu":
            # There, torch's kernel draws its coins one by one, and is slow at products that round (AMX).
            logits = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 + blocked  # [B, H, L, L]
            return torch.matmul(self.attention_dropout(logits.softmax(dim=-1)), value)  # [B, H, L, D/H]
        share = self.attention_dropout.share if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(query, key, value, blocked, share)  # [B, H, L, D/H]


def _initialise(module: nn.Module) -> None:
    """N(0, 0.02) for every weight, 0 for every bias, as SASRec and UniSRec do."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
