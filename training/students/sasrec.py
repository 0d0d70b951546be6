"""SASRec (Kang and McAuley, ICDM 2018): the sequential student."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.causal_encoder import CausalEncoder, CausalEncoderConfig
from training.config import Config
from training.two_tower import CausalTwoTower


class SASRecConfig(Config):
    """Sizes of the student."""

    encoder: CausalEncoderConfig = Field(default_factory=CausalEncoderConfig)


class SASRec(CausalTwoTower):
    """One table of item vectors, read as input and as output."""

    def __init__(self, config: SASRecConfig, items: int) -> None:
        """Make a student for a catalogue of N = `items` items."""
        super().__init__()
        self.max_history = config.encoder.max_history
        self.items = nn.Embedding(items + 1, config.encoder.width, padding_idx=PAD)
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.zeros_(self.items.weight[PAD].detach())
        self.encoder = CausalEncoder(config.encoder)

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D] for int64[B, L]."""
        states: Tensor = self.encoder(self.items(history), history != PAD)  # [B, L, D]
        return states

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.items.weight  # [N+1, D]
