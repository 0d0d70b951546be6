"""Histories with padding and gaps as histories without: what recurrences and "the last five" want to read."""

from __future__ import annotations

import torch
from torch import Tensor

from service.bundle import PAD


def compacted(history: Tensor) -> tuple[Tensor, Tensor]:
    """Move the items of each history to the left, in their order.

    Written as one scatter and no sort: it is traced into the served graph.

    Args:
        history: int64[B, L], PAD before the oldest item and wherever else nothing is.

    Returns:
        (items int64[B, L], PAD behind the newest; seen int64[B, L]: how many items there are up to each place, so that
        the state after `seen` items is the state at that place).
    """
    present = history != PAD  # [B, L]
    seen = present.long().cumsum(dim=1)  # [B, L]
    place = torch.where(present, seen, 0)  # [B, L]: what is absent goes to place 0, which is cut off
    items = torch.full_like(history[:, :1], PAD).expand(-1, history.shape[1] + 1)  # [B, 1 + L]
    return items.scatter(1, place, history)[:, 1:], seen


def at_places(states: Tensor, start: Tensor, seen: Tensor) -> Tensor:
    """Bring states of compacted histories back to where their items stand.

    Args:
        states: float[B, L, D], after every compacted item.
        start: float[D], before any.
        seen: int64[B, L], from `compacted`.

    Returns:
        float[B, L, D]; a place with nothing has the state of the place before it.
    """
    before = start.expand(states.shape[0], 1, states.shape[2])  # [B, 1, D]
    all_states = torch.cat([before, states], dim=1)  # [B, 1 + L, D]
    return all_states.gather(1, seen[..., None].expand_as(states))  # [B, L, D]
