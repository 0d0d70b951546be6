"""A second view of a history: some items dropped, or some items' words (UniSRec, KDD 2022, section 2.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class DroppedItems:
    """Which items a view keeps."""

    kept: Tensor
    """bool[B, L]"""

    def last_kept(self) -> Tensor:
        """For each position the newest kept one at or before it: int64[B, L], 0 before the first item.

        The encoder is causal, so the state there is the one that the shortened prefix has alone.
        """
        place = torch.arange(self.kept.shape[1], device=self.kept.device).expand_as(self.kept)  # [B, L]
        return torch.where(self.kept, place, 0).cummax(dim=1).values  # [B, L]


def drop_items(present: Tensor, ratio: float) -> DroppedItems:
    """Drop each item with probability `ratio`; the oldest one of each history stays, so no prefix is empty.

    Args:
        present: bool[B, L].
        ratio: in [0, 1).
    """
    oldest = present & (present.long().cumsum(dim=1) == 1)  # [B, L]
    survives = torch.rand(present.shape, device=present.device) >= ratio  # [B, L]
    return DroppedItems((present & survives) | oldest)


def drop_words(present: Tensor, share: float) -> Tensor:
    """Which items are read from their text with words missing: each with probability `share`, bool[B, L]."""
    return present & (torch.rand(present.shape, device=present.device) < share)  # [B, L]
