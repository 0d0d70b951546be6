"""What items are made of: frozen vectors of each modality, which of them are there, and each item's domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from training.features.item_features import ItemFeatures
from training.teachers.corpus import Corpus

ModalityName = Literal["text", "image"]


@dataclass(frozen=True, eq=False)
class Modality:
    """One kind of content of every item."""

    values: Tensor
    """float[N+1, F], from the frozen encoder"""
    present: Tensor
    """bool[N+1] which rows are content; the values of others are never read"""


class ItemContent(nn.Module):
    """The content of a catalogue or corpus, in buffers that are not saved: it belongs to the data."""

    domain: Tensor
    """int64[N+1]"""
    present: Tensor
    """bool[N+1, M]; nothing in row 0 (PAD)"""

    def __init__(self, modalities: Mapping[ModalityName, Modality], domain: Tensor) -> None:
        super().__init__()
        self.names = tuple(modalities)
        self.register_buffer("domain", domain, persistent=False)
        present = torch.stack([one.present for one in modalities.values()], dim=1)  # [N+1, M]
        self.register_buffer("present", present, persistent=False)
        for name, one in modalities.items():
            self.register_buffer(f"{name}_values", one.values, persistent=False)

    @classmethod
    def of(cls, corpus: Corpus, widths: Mapping[ModalityName, int]) -> ItemContent:
        """The content of a corpus in the modalities that a model reads; of one that the corpus lacks, nothing."""
        found = {"text": corpus.text, "image": corpus.image}
        modalities = {name: _modality(found[name], (corpus.size + 1, width)) for name, width in widths.items()}
        return cls(modalities, torch.from_numpy(corpus.domain.copy()))

    def __len__(self) -> int:
        """N + 1."""
        return len(self.domain)

    def vectors(self, name: ModalityName, items: Tensor) -> Tensor:
        """The vectors of some items [K]: float[K, F]."""
        return self.get_buffer(f"{name}_values")[items]  # [K, F]


def _modality(features: ItemFeatures | None, shape: tuple[int, int]) -> Modality:
    if features is None:
        return Modality(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.bool))
    return Modality(torch.from_numpy(features.values.copy()), torch.from_numpy(features.present.copy()))
