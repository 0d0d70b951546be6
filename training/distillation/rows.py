"""The rows of the study: which teachers are heard, and what their weights rest on."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import ConfigError


@dataclass(frozen=True)
class Row:
    """One way to distil."""

    name: str
    meaning: str
    powers: tuple[float, float] | None
    """(alpha, beta) of the weights; None: no distillation."""
    only: int | None = None
    """The number of the one teacher that is heard; None: all."""


ROWS = {
    row.name: row
    for row in (
        Row("A0", "no distillation", None),
        Row("A1", "the first teacher alone", (0, 0), only=0),
        Row("A2", "the second teacher alone", (0, 0), only=1),
        Row("A3", "the third teacher alone", (0, 0), only=2),
        Row("A4", "the plain mean of all teachers", (0, 0)),
        Row("A5", "weighed by confidence", (1, 0)),
        Row("A6", "weighed by consistency", (0, 2)),
        Row("A7", "weighed by confidence and consistency", (1, 2)),
    )
}


def study_row(name: str) -> Row:
    """Look a row up.

    Raises:
        ConfigError: no row has this name; the known ones are listed.
    """
    if name not in ROWS:
        known = ", ".join(f"{row.name} ({row.meaning})" for row in ROWS.values())
        raise ConfigError(f"no row is called {name!r}; known: {known}")
    return ROWS[name]
