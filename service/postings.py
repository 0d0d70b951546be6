"""Which rows have a value: an array of them for each."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

Note = Callable[[int], None]
"""Notes a row. Rows come in their order, and each once."""


class Postings:
    """Value -> rows that have it. A row is a catalogue index less one."""

    def __init__(self) -> None:
        self._rows: dict[str, array[int]] = {}

    def note(self, value: str) -> Note:
        """What notes the rows that have the value."""
        return self._rows.setdefault(value, array("i")).append

    def rows(self, values: Sequence[str]) -> Iterator[NDArray[np.int32]]:
        """The rows of each value; a value that no row has gives none."""
        return (np.frombuffer(self._rows[value], np.int32) for value in values if value in self._rows)

    def most_frequent(self, most: int) -> list[tuple[str, int]]:
        """At most so many values with the number of their rows, those of most rows first, then by name."""
        counted = ((value, len(rows)) for value, rows in self._rows.items())
        return nsmallest(most, counted, key=lambda one: (-one[1], one[0]))

    def unknown(self, values: Iterable[str]) -> tuple[str, ...]:
        """Those of the values that no row has, each once, in their order."""
        return tuple(value for value in dict.fromkeys(values) if value not in self._rows)
