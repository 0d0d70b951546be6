"""GRU4Rec (Hidasi, Karatzoglou, Baltrunas and Tikk, "Session-based Recommendations with Recurrent Neural Networks",
ICLR 2016): the recurrent student."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from service.bundle import PAD
from training.config import Config
from training.dropout import Dropout
from training.students.base import Student, seed_table
from training.students.compaction import at_places, compacted
from training.two_tower import CausalTwoTower


class GRU4RecConfig(Config):
    """Sizes of the student."""

    width: int = Field(default=64, ge=1)
    """D."""
    inner: int = Field(default=128, ge=1)
    """H: width of the recurrent state."""
    layers: int = Field(default=1, ge=1)
    """Recurrences, each reading the one below. One was best in the paper (section 4.2)."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Of the numbers that every recurrence reads."""
    max_history: int = Field(default=50, ge=1)
    """L: how many of the newest items are read."""


class GRU4Rec(Student, CausalTwoTower):
    """A gated recurrent unit over the items, and one table of item vectors, read as input and as output.

    The paper reads one-hot items and scores by a table of its own; item vectors of one tied table are what every other
    student here has, and a fraction of the parameters. The recurrence runs over the items that are present alone:
    padding and gaps leave its state as it is.
    """

    def __init__(self, config: GRU4RecConfig, items: int) -> None:
        """Make a student for a catalogue of N = `items` items."""
        super().__init__()
        self.config = config
        self.max_history = config.max_history
        self.items = nn.Embedding(items + 1, config.width, padding_idx=PAD)
        nn.init.normal_(self.items.weight, std=config.width**-0.5)
        nn.init.zeros_(self.items.weight[PAD].detach())
        between = config.dropout if config.layers > 1 else 0.0  # with one layer there is no between, and torch warns
        self.recurrence = nn.GRU(config.width, config.inner, config.layers, batch_first=True, dropout=between)
        self.out = nn.Linear(config.inner, config.width)
        self.dropout = Dropout(config.dropout)

    def hidden(self, history: Tensor) -> Tensor:
        """float[B, L, D] for int64[B, L]; before any item it is what the state of all zeros gives."""
        items, seen = compacted(history)  # [B, L] each
        states, _ = self.recurrence(self.dropout(self.items(items)))  # [B, L, H]
        users: Tensor = self.out(at_places(states, states.new_zeros(states.shape[2]), seen))  # [B, L, D]
        return users

    def item_matrix(self) -> Tensor:
        """float[N+1, D]."""
        return self.items.weight  # [N+1, D]

    def seed_items(self, components: Tensor) -> None:
        """Begin with these item vectors."""
        seed_table(self.items, components)
