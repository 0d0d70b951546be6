"""Several domains in one history: a vector for each domain, and what a user prefers in the domains left behind.

Our reconstruction of "preferences from all domains, not only the target's" (arXiv 2311.01831, abstract).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from training.teachers.augmentation import DroppedItems

Encode = Callable[[Tensor, Tensor], Tensor]
"""float[B, L, D], bool[B, L] -> float[B, L, D]: a causal encoder that allows gaps"""


class DomainEmbedding(nn.Module):
    """A vector added to each item as it is read. It starts at 0: a model of one domain begins as one without it."""

    def __init__(self, domains: Sequence[str], width: int) -> None:
        super().__init__()
        self.domains = tuple(domains)
        self.vectors = nn.Parameter(torch.zeros(len(self.domains), width))

    def forward(self, domain: Tensor) -> Tensor:
        """int64[..] -> float[.., D]."""
        return nn.functional.embedding(domain, self.vectors)

    @torch.no_grad()
    def adopt(self, learnt: DomainEmbedding) -> None:
        """Take over the vectors of domains of the same name; a new domain starts at the mean of all learnt ones.

        The encoder never read an item without one of them: their mean is the place nearest to what it knows, and 0 need
        not be near to any.
        """
        place = {name: number for number, name in enumerate(learnt.domains)}
        mean = learnt.vectors.mean(dim=0)  # [D]
        for number, name in enumerate(self.domains):
            self.vectors[number] = learnt.vectors[place[name]] if name in place else mean


class AllDomainPreference(nn.Module):
    """tanh(g) * mean over the domains that a prefix has met, its newest item's left out, of the state in each alone.

    The state of a domain is the encoder's over that domain's items only. Nothing is added where a prefix knows but one
    domain. g starts at 0, so training begins without this. A pass more per domain, over the histories that hold it and
    another: histories of one domain cost nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(width))

    def forward(self, encode: Encode, vectors: Tensor, present: Tensor, domain: Tensor) -> Tensor:
        """What is added to the user vector after every position.

        Args:
            encode: the sequence encoder.
            vectors: float[B, L, D] items as read.
            present: bool[B, L]; gaps are allowed.
            domain: int64[B, L], any value where nothing is present.

        Returns:
            float[B, L, D]; exact for every prefix, as the encoder is.
        """
        total = torch.zeros_like(vectors)  # [B, L, D]
        count = torch.zeros_like(vectors[..., :1])  # [B, L, 1]
        mixed = _mixed(present, domain)  # [B]
        for one in domain[mixed][present[mixed]].unique().tolist():  # type: ignore[no-untyped-call]
            kept = present & (domain == one)  # [B, L]
            rows = (mixed & kept.any(dim=1)).nonzero()[:, 0]  # [Q]
            states = _latest(encode(vectors[rows], kept[rows]), kept[rows])  # [Q, L, D]
            heard = ((kept.cumsum(dim=1) > 0) & (domain != one))[rows, :, None].to(states.dtype)  # [Q, L, 1]
            total = total.index_add(0, rows, states * heard)  # [B, L, D]
            count = count.index_add(0, rows, heard)  # [B, L, 1]
        return torch.tanh(self.gate) * total / count.clamp(min=1)  # [B, L, D]


def _mixed(present: Tensor, domain: Tensor) -> Tensor:
    """Which histories hold more than one domain: bool[B]."""
    highest = torch.where(present, domain, -1).amax(dim=1, keepdim=True)  # [B, 1]
    return (present & (domain != highest)).any(dim=1)  # [B]


def _latest(states: Tensor, kept: Tensor) -> Tensor:
    """At every position the state at the newest kept one at or before it: float[Q, L, D]."""
    place = DroppedItems(kept).last_kept()[..., None].expand_as(states)  # [Q, L, D]
    return states.gather(1, place)  # [Q, L, D]
