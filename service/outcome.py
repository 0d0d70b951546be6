"""What kind of list a recommendation was: what is counted, logged and traced of it beside its times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from service.recommender import Source

HistoryRead = Literal["found", "empty", "failed", "not_read"]
"""What came of the look at the history cache: `failed` is a degraded list; `not_read` one for nobody in particular, or
whose request brought its own history."""
HISTORY_READS: tuple[HistoryRead, ...] = get_args(HistoryRead)


@dataclass(frozen=True)
class Outcome:
    """One list, without the user and the items."""

    source: Source
    history: HistoryRead
    model_version: str
    variant: str | None = None

    @property
    def degraded(self) -> bool:
        """Whether it would be another one if Redis had answered."""
        return self.history == "failed"

    def fields(self) -> dict[str, str | bool | int | None]:
        """As they stand in the answer, and `history`."""
        return {
            "source": self.source,
            "degraded": self.degraded,
            "history": self.history,
            "model_version": self.model_version,
            "variant": self.variant,
        }
