"""SASRec (Kang and McAuley, ICDM 2018): the sequential student."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.config import Config
from training.students.base import Student, seed_table
from training.two_tower import CausalTwoTower


class SASRecConfig(Config):
    """Sizes of the student."""

    encoder: CausalEncoderConfig = Field(default_factory=CausalEncoderConfig)


class SASRec(Student, CausalTwoTower):
    """One table of item vectors, read as input and as output."""

    def __init__(self, config: SASRecConfig, items: int, content: Tensor | None = None) -> None:
        """Make a student for a catalogue of N = `items` items.

        Args:
            config: sizes.
            items: N.
            content: float[N+1, X], frozen vectors of the items' texts, which are read through a linear map beside the
                table: the control that shows what the content itself would give.
        """
        super().__init__()
        self.config = config
        self.max_history = config.encoder.max_history
        width = config.encoder.width
        self.items = nn.Embedding(items + 1, width, padding_idx=PAD)
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.zeros_(self.items.weight[PAD].detach())
        self.encoder = CausalEncoder(config.encoder)
        self.register_buffer("content", content, persistent=False)
        self.reader = None if content is None else nn.Linear(content.shape[1], width, bias=False)

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D] for int64[B, L]."""
        read = self.items(history) if self.reader is None else self.item_matrix()[history]  # [B, L, D]
        states: Tensor = self.encoder(read, history != PAD)  # [B, L, D]
        return states

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        if self.reader is None:
            return self.items.weight  # [N+1, D]
        read: Tensor = self.items.weight + self.reader(self.content)  # [N+1, D]
        return read

    def seed_items(self, components: Tensor) -> None:
        """Begin with these item vectors."""
        seed_table(self.items, components)
