"""What every source gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from training.items import Item


@dataclass(frozen=True, eq=False)
class RawData:
    """What a source holds, before anything is dropped or numbered."""

    interactions: pl.DataFrame
    """user_id String, item_id String, timestamp Int64 in seconds: checked, in the order of the source"""
    items: tuple[Item, ...]
    """Ids are unique; there may be items without interactions, and interactions without an item"""
    notes: tuple[str, ...] = ()
    """What a person should know of this reading, in sentences."""
    images: Path | None = None
    """The folder that the items' image paths start from; every path that is named lies there."""


class Source(Protocol):
    """A place that data can be read from."""

    @property
    def name(self) -> str:
        """What people call the data."""
        ...

    def read(self) -> RawData:
        """Read and check all of it.

        Raises:
            SourceUnavailable: it cannot be reached or is not there.
            SourceInvalid: a file, row and column that is not what the format says.
        """
        ...
