"""UniSRec (Hou et al., "Towards Universal Sequence Representation Learning for Recommender Systems", KDD 2022).

Items are what their text says: a frozen text encoder, an adaptor of whitening experts, and a self-attention encoder
over the history. With `item_ids` an id vector is added to each item (the transductive setting, section 2.4.2).
"""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.features.item_features import ItemFeatures
from training.teachers.corpus import Corpus
from training.teachers.finetuning import TeacherWithIds
from training.teachers.kind import TeacherConfig
from training.teachers.whitening_moe import WhiteningMoE


class UniSRecConfig(TeacherConfig):
    """Sizes; the defaults are the paper's."""

    content_fields: ClassVar[tuple[str, ...]] = ("text_encoder", "text_width")

    encoder: CausalEncoderConfig = Field(
        default_factory=lambda: CausalEncoderConfig(
            width=300, inner=256, layers=2, heads=2, dropout=0.5, max_history=50
        )
    )
    experts: int = Field(default=8, ge=1)
    adaptor_dropout: float = Field(default=0.2, ge=0, lt=1)
    gate_noise: bool = True
    """Training adds learnt noise to the gate that weighs the experts; without it equal runs take equal steps."""
    temperature: float = Field(default=0.07, gt=0)
    """tau of every cosine."""
    item_ids: bool = False
    """T+ID: an id vector beside the text (False: T, which also knows items that it never saw)."""
    text_width: int = Field(default=384, ge=1)
    """F: width of the frozen text vectors; taken from the data set."""
    text_encoder: str = ""
    """Fingerprint of the encoder that made them; taken from the data set."""

    def reading(self, corpus: Corpus) -> Self:
        """The same sizes for these texts."""
        encoder = corpus.text.encoder
        return self.model_copy(update={"text_width": encoder.width, "text_encoder": encoder.fingerprint})


class UniSRec(TeacherWithIds):
    """The text vectors are a buffer that is not saved: they belong to the data set, and are given anew."""

    name = "unisrec"
    config: UniSRecConfig
    text: Tensor
    """float[N+1, F]"""
    known: Tensor
    """bool[N+1] which items have a text"""

    def __init__(self, config: UniSRecConfig, text: ItemFeatures) -> None:
        """Build for the items whose text vectors are given."""
        super().__init__()
        self.config = config
        self.max_history = config.encoder.max_history
        self.temperature = config.temperature
        self.register_buffer("text", torch.from_numpy(text.values.copy()), persistent=False)
        self.register_buffer("known", torch.from_numpy(text.present.copy()), persistent=False)
        width = config.encoder.width
        self.adaptor = WhiteningMoE(config.text_width, width, config.experts, config.adaptor_dropout)
        self.adaptor.noisy = config.gate_noise
        self.encoder = CausalEncoder(config.encoder)
        self.ids = nn.Embedding(len(text) + 1, width, padding_idx=PAD) if config.item_ids else None
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=0.02)
        # Not 0: a cosine has no direction there, and its gradient is so steep that Adam would learn nothing after it.
        self.textless = nn.Parameter(0.02 * torch.randn(width))
        """[D] what an item is that nothing is said of: learnt, so that no zero vector passes for a text"""

    def raw_item_matrix(self) -> Tensor:
        """v_i, or v_i + e_i: float[N+1, D]."""
        vectors = self.adapted(self.text, self.known)  # [N+1, D]
        return vectors if self.ids is None else vectors + self.ids.weight  # [N+1, D]

    def adapted(self, text: Tensor, known: Tensor) -> Tensor:
        """Text vectors float[K, F], of items of which bool[K] have one, in the recommender's space: float[K, D]."""
        vectors: Tensor = self.adaptor(text)  # [K, D]
        return torch.where(known[:, None], vectors, self.textless)  # [K, D]

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        """float[B, L, D]."""
        return self.states(torch.nn.functional.embedding(history, items), history != PAD)  # [B, L, D]

    def states(self, vectors: Tensor, present: Tensor) -> Tensor:
        """The encoder over given item vectors: float[B, L, D], bool[B, L] -> float[B, L, D]."""
        states: Tensor = self.encoder(vectors, present)  # [B, L, D]
        return states

    def freeze_sequence_encoder(self) -> None:
        """Fine-tuning leaves positions and attention as pre-trained (section 2.4); the LayerNorm in front learns on."""
        for part in (self.encoder.position, self.encoder.blocks):
            part.requires_grad_(requires_grad=False)
