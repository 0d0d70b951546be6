"""The model: fused item vectors, a causal encoder over them, and what the user prefers in other domains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.config import ConfigError
from training.features.item_features import ItemFeatures
from training.teachers.corpus import Corpus
from training.teachers.finetuning import TeacherWithIds
from training.teachers.kind import TeacherConfig
from training.teachers.unim2rec.content import ItemContent, ModalityName
from training.teachers.unim2rec.domains import AllDomainPreference, DomainEmbedding
from training.teachers.unim2rec.fusion import AdaptorSizes, ContentFusion, drop_modalities


class UniM2RecConfig(TeacherConfig):
    """Sizes; encoder and adaptors have those of UniSRec's paper."""

    content_fields: ClassVar[tuple[str, ...]] = ("text_encoder", "text_width", "image_encoder", "image_width")

    encoder: CausalEncoderConfig = Field(
        default_factory=lambda: CausalEncoderConfig(
            width=300, inner=256, layers=2, heads=2, dropout=0.5, max_history=50
        )
    )
    experts: int = Field(default=8, ge=1)
    """Of each modality's adaptor."""
    adaptor_dropout: float = Field(default=0.2, ge=0, lt=1)
    gate_noise: bool = True
    """Training adds learnt noise to the gates that weigh the experts; without it equal runs take equal steps."""
    temperature: float = Field(default=0.07, gt=0)
    """tau of every cosine."""
    item_ids: bool = False
    """An id vector beside the content (False: items never seen are known, too)."""
    modalities: tuple[ModalityName, ...] = Field(default=("text", "image"), min_length=1)
    """What is read where the data has it."""
    modality_dropout: float = Field(default=0.2, ge=0, lt=1)
    """Probability that training reads an item without one of its modalities; never without all of them."""
    all_domains: bool = True
    """Add what the user prefers in the domains left behind: an encoder pass more for each domain of a mixed history."""
    text_width: int = Field(default=0, ge=0)
    """Width of the frozen text vectors, 0 where no item has one: no adaptor is made. Taken from the data set."""
    text_encoder: str = ""
    """Fingerprint of the encoder that made them; taken from the data set."""
    image_width: int = Field(default=0, ge=0)
    """As `text_width`, of the pictures."""
    image_encoder: str = ""
    domains: tuple[str, ...] = ("",)
    """Names of the domains; taken from the data set."""

    @property
    def widths(self) -> dict[ModalityName, int]:
        """The modalities that have an adaptor, with the width of their vectors."""
        found: dict[ModalityName, int] = {"text": self.text_width, "image": self.image_width}
        return {name: width for name, width in found.items() if width}

    def reading(self, corpus: Corpus) -> Self:
        """The same sizes for this content.

        Raises:
            ConfigError: no item has any of the modalities; the folders are named.
        """
        text, image = self._read("text", corpus.text), self._read("image", corpus.image)
        if not text[0] + image[0]:
            folders = ", ".join(str(one.folder) for one in corpus.datasets)
            raise ConfigError(f"model.modalities: no item of {folders} has {' or '.join(self.modalities)} content")
        read = {"text_width": text[0], "text_encoder": text[1], "image_width": image[0], "image_encoder": image[1]}
        return self.model_copy(update={**read, "domains": corpus.domains})

    def _read(self, name: ModalityName, features: ItemFeatures | None) -> tuple[int, str]:
        if name not in self.modalities or features is None or not features.present.any():
            return 0, ""
        return features.encoder.width, features.encoder.fingerprint


@dataclass(frozen=True, eq=False)
class Adapted:
    """Some items' modalities in the recommender's space."""

    items: Tensor
    """int64[K]"""
    vectors: Tensor
    """float[K, M, D]; any value where nothing is present"""
    present: Tensor
    """bool[K, M]"""


class UniM2Rec(TeacherWithIds):
    """Items by all their content, users by all their domains."""

    name = "unim2rec"
    config: UniM2RecConfig

    def __init__(self, config: UniM2RecConfig, content: ItemContent) -> None:
        """Build for the items whose content, in the modalities of `config.widths`, is given."""
        super().__init__()
        self.config, self.content = config, content
        self.max_history = config.encoder.max_history
        self.temperature = config.temperature
        width = config.encoder.width
        self.fusion = ContentFusion(
            config.widths, AdaptorSizes(width, config.experts, config.adaptor_dropout, config.gate_noise)
        )
        self.domain = DomainEmbedding(config.domains, width)
        self.encoder = CausalEncoder(config.encoder)
        several = config.all_domains and len(config.domains) > 1
        self.preference = AllDomainPreference(width) if several else None
        self.ids = nn.Embedding(len(content), width, padding_idx=PAD) if config.item_ids else None
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=0.02)
            nn.init.zeros_(self.ids.weight[PAD].detach())

    def adapt(self, items: Tensor) -> Adapted:
        """The modalities of some items [K], each adapted where it is there."""
        return Adapted(items, self.fusion.adapt(self.content, items), self.content.present[items])

    def retold(self, adapted: Adapted, chosen: Tensor, text: Tensor) -> Adapted:
        """The same items, those chosen, bool[K], with other text vectors float[Q, F]."""
        place = self.fusion.names.index("text")
        where = torch.zeros_like(adapted.present)  # [K, M]
        where[:, place] = chosen
        told = self.fusion.adapted("text", text)  # [Q, D]
        return replace(adapted, vectors=adapted.vectors.masked_scatter(where[..., None], told))

    def fuse(self, adapted: Adapted) -> Tensor:
        """v_i of those items, float[K, D], 0 for PAD; each call in training drops other modalities."""
        present = adapted.present  # [K, M]
        if self.training:
            present = drop_modalities(present, self.config.modality_dropout)  # [K, M]
        vectors: Tensor = self.fusion(adapted.vectors, present)  # [K, D]
        if self.ids is not None:
            vectors = vectors + self.ids(adapted.items)  # [K, D]
        return vectors * (adapted.items != PAD)[:, None]  # [K, D]

    def raw_item_matrix(self) -> Tensor:
        """v_i: float[N+1, D]."""
        return self.fuse(self.adapt(torch.arange(len(self.content), device=self.content.domain.device)))  # [N+1, D]

    def raw_hidden(self, history: Tensor, items: Tensor) -> Tensor:
        """float[B, L, D]."""
        return self.states(nn.functional.embedding(history, items), history, history != PAD)  # [B, L, D]

    def states(self, vectors: Tensor, history: Tensor, present: Tensor) -> Tensor:
        """The user vector after every position that is present.

        Args:
            vectors: float[B, L, D] of the items of the history.
            history: int64[B, L].
            present: bool[B, L] which of them are read; never PAD.

        Returns:
            float[B, L, D].
        """
        domain = self.content.domain[history]  # [B, L]
        read = vectors + self.domain(domain)  # [B, L, D]
        whole: Tensor = self.encoder(read, present)  # [B, L, D]
        if self.preference is None:
            return whole
        elsewhere: Tensor = self.preference(self.encoder, read, present, domain)  # [B, L, D]
        return whole + elsewhere  # [B, L, D]

    def freeze_sequence_encoder(self) -> None:
        """Positions and attention stay as pre-trained, as UniSRec does; the LayerNorm in front learns on."""
        for part in (self.encoder.position, self.encoder.blocks):
            part.requires_grad_(requires_grad=False)
