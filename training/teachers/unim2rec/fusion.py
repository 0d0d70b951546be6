"""One vector from an item's modalities: an adaptor for each, a learned vector for what is missing, a gate over both.

Our reconstruction (the paper's equations could not be had); the adaptor is UniSRec's (KDD 2022, section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.teachers.unim2rec.content import ItemContent, ModalityName
from training.teachers.whitening_moe import WhiteningMoE


def drop_modalities(present: Tensor, probability: float) -> Tensor:
    """Drop each modality with a probability, but never all that an item has: bool[K, M] -> bool[K, M].

    Where every one would go, the one that drew highest stays: each as often as another.
    """
    draw = torch.rand(present.shape, device=present.device)  # [K, M]
    highest = torch.where(present, draw, -1.0).argmax(dim=1, keepdim=True)  # [K, 1]
    kept = (draw >= probability).scatter(1, highest, value=True)  # [K, M]
    return present & kept


@dataclass(frozen=True)
class AdaptorSizes:
    """Of every modality's adaptor; see `WhiteningMoE`."""

    width: int
    """D"""
    experts: int
    dropout: float
    gate_noise: bool = True

    def adaptor(self, width_in: int) -> WhiteningMoE:
        """An adaptor of vectors of this width."""
        made = WhiteningMoE(width_in, self.width, self.experts, self.dropout)
        made.noisy = self.gate_noise
        return made


class ContentFusion(nn.Module):
    """v = sum_m alpha_m h^m with alpha = softmax_m( w' [h^text; h^image; a] ), a the presence bits.

    What is missing has weight 0 and speaks through its learned vector to the gate only. An item that has nothing is the
    mean of the learned vectors. With one modality there is no gate.
    """

    def __init__(self, widths: Mapping[ModalityName, int], sizes: AdaptorSizes) -> None:
        """Take the width F of each modality."""
        super().__init__()
        width = sizes.width
        self.names: tuple[ModalityName, ...] = tuple(widths)
        self.adaptors = nn.ModuleDict({name: sizes.adaptor(one) for name, one in widths.items()})
        self.missing = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(width)) for name in widths})
        self.gate = nn.Linear(len(widths) * (width + 1), len(widths), bias=False) if len(widths) > 1 else None
        if self.gate is not None:
            nn.init.zeros_(self.gate.weight)  # training begins with every modality equally heard

    def adapted(self, name: ModalityName, values: Tensor) -> Tensor:
        """h^m of vectors from the frozen encoder: float[P, F] -> float[P, D].

        They are read at length 1: no modality is louder than another only because of how its encoder scales.
        """
        vectors: Tensor = self.adaptors[name](nn.functional.normalize(values, dim=-1))  # [P, D]
        return vectors

    def adapt(self, content: ItemContent, items: Tensor) -> Tensor:
        """h^m of some items [K], 0 where there is none: float[K, M, D]. What is not there is never read."""
        present = content.present[items]  # [K, M]
        known = [
            self.adapted(name, content.vectors(name, items[present[:, place]])) for place, name in enumerate(self.names)
        ]  # each [P, D]
        nothing = known[0].new_zeros(len(items), known[0].shape[1])  # [K, D]
        return torch.stack(
            [nothing.masked_scatter(present[:, place, None], one) for place, one in enumerate(known)], dim=1
        )  # [K, M, D]

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Fuse h float[K, M, D], reading the modalities that are present, bool[K, M]: float[K, D]."""
        read = self.read(vectors, present)  # [K, M, D]
        return (self.weights(read, present)[..., None] * read).sum(dim=1)  # [K, D]

    def read(self, vectors: Tensor, present: Tensor) -> Tensor:
        """h with the learned vectors in place of what is missing: float[K, M, D]."""
        missing = torch.stack([self.missing[name] for name in self.names])  # [M, D]
        return torch.where(present[..., None], vectors, missing)  # [K, M, D]

    def weights(self, vectors: Tensor, present: Tensor) -> Tensor:
        """alpha for vectors as `read` gives them: float[K, M], 0 for what is missing unless all is."""
        if self.gate is None:
            return torch.ones_like(vectors[..., 0])  # [K, 1]
        logits: Tensor = self.gate(torch.cat([vectors.flatten(1), present.to(vectors.dtype)], dim=1))  # [K, M]
        masked = logits.masked_fill(~present, -torch.inf)  # [K, M]
        nothing = ~present.any(dim=1, keepdim=True)  # [K, 1]
        return torch.softmax(masked.masked_fill(nothing, 0.0), dim=1)  # [K, M]

    @torch.no_grad()
    def adopt(self, learnt: ContentFusion) -> None:
        """Take over the adaptors of modalities that both have, and the gate if they have the same ones."""
        for name in self.names:
            if name in learnt.names:
                self.adaptors[name].load_state_dict(learnt.adaptors[name].state_dict())
                self.missing[name].copy_(learnt.missing[name])
        if self.gate is not None and learnt.gate is not None and self.names == learnt.names:
            self.gate.load_state_dict(learnt.gate.state_dict())
