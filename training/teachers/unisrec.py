"""UniSRec (Hou et al., "Towards Universal Sequence Representation Learning for Recommender Systems", KDD 2022).

Items are what their text says: a frozen text encoder, an adaptor of whitening experts, and a self-attention encoder
over the history. With `item_ids` an id vector is added to each item (the transductive setting, section 2.4.2).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.config import Config
from training.teachers.base import Teacher
from training.teachers.whitening_moe import WhiteningMoE


class UniSRecConfig(Config):
    """Sizes; the defaults are the paper's."""

    encoder: CausalEncoderConfig = Field(
        default_factory=lambda: CausalEncoderConfig(
            width=300, inner=256, layers=2, heads=2, dropout=0.5, max_history=50
        )
    )
    experts: int = Field(default=8, ge=1)
    adaptor_dropout: float = Field(default=0.2, ge=0, lt=1)
    temperature: float = Field(default=0.07, gt=0)
    """tau of every cosine."""
    item_ids: bool = False
    """T+ID: an id vector beside the text (False: T, which also knows items that it never saw)."""
    text_width: int = Field(default=384, ge=1)
    """F: width of the frozen text vectors; taken from the data set."""
    text_encoder: str = ""
    """Fingerprint of the encoder that made them; taken from the data set."""


class UniSRec(Teacher):
    """The text vectors are a buffer that is not saved: they belong to the data set, and are given anew."""

    name = "unisrec"
    text: Tensor
    """float[N+1, F]"""

    def __init__(self, config: UniSRecConfig, text: Tensor) -> None:
        """Build for the items whose text vectors float[N+1, F] are given."""
        super().__init__()
        self.config = config
        self.max_history = config.encoder.max_history
        self.temperature = config.temperature
        self.register_buffer("text", text, persistent=False)
        width = config.encoder.width
        self.adaptor = WhiteningMoE(config.text_width, width, config.experts, config.adaptor_dropout)
        self.encoder = CausalEncoder(config.encoder)
        self.ids = nn.Embedding(text.shape[0], width, padding_idx=PAD) if config.item_ids else None
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=0.02)

    def raw_item_matrix(self) -> Tensor:
        """v_i, or v_i + e_i: float[N+1, D]."""
        vectors: Tensor = self.adaptor(self.text)  # [N+1, D]
        return vectors if self.ids is None else vectors + self.ids.weight  # [N+1, D]

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
