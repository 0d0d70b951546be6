"""Which items have which category and brand, and which are available: read once from the cards, when a bundle opens.

A filter becomes one bool per item. That costs microseconds for a hundred thousand items, whatever it asks for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from service.bundle import BundleCorrupt, ItemCard, ModelBundle
from service.bundle.files import CARDS
from service.filters import Filters

FACET_VALUES = 100
"""Values of a facet that are worth showing to a person."""
CHUNK = 1000
"""Cards parsed at once: far faster than one by one, and never many in memory."""


class Postings:
    """Value -> rows that have it. A row is a catalogue index less one."""

    def __init__(self) -> None:
        self._rows: dict[str, array[int]] = {}

    def add(self, values: Iterable[str], row: int) -> None:
        """Note the values of one row."""
        for value in set(values):
            self._rows.setdefault(value, array("i")).append(row)

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


@dataclass(frozen=True)
class UnknownValues:
    """Values of a filter that no item of the catalogue has: most likely slips of the pen."""

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facets:
    """What a person may filter by: values that most items have, with how many, at most FACET_VALUES of each kind."""

    categories: list[tuple[str, int]]
    brands: list[tuple[str, int]]


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """The categories, brands and availability of all items."""

    categories: Postings
    brands: Postings
    available: NDArray[np.bool_]
    """[N]"""

    @classmethod
    def of(cls, bundle: ModelBundle) -> ItemIndex:
        """Read all cards.

        Raises:
            BundleCorrupt: one is no card; names file and item.
        """
        index = cls(Postings(), Postings(), np.ones(len(bundle.catalog), np.bool_))
        for row, card in enumerate(_cards(bundle)):
            index.categories.add(card.categories, row)
            index.brands.add([card.brand] if card.brand else [], row)
            if not card.available:
                index.available[row] = False
        return index

    @cached_property
    def facets(self) -> Facets:
        """Counted once: a catalogue may have a million brands."""
        return Facets(self.categories.most_frequent(FACET_VALUES), self.brands.most_frequent(FACET_VALUES))

    def allowed(self, filters: Filters) -> NDArray[np.bool_]:
        """bool[N]: which rows meet every condition."""
        allowed = self.available.copy() if filters.available_only else np.ones_like(self.available)  # [N]
        for postings, wanted, unwanted in (
            (self.categories, filters.categories_any, filters.categories_none),
            (self.brands, filters.brands_any, filters.brands_none),
        ):
            if wanted is not None:
                allowed &= self._having(postings, wanted)
            for rows in postings.rows(unwanted):
                allowed[rows] = False
        return allowed

    def _having(self, postings: Postings, values: Sequence[str]) -> NDArray[np.bool_]:
        having = np.zeros_like(self.available)  # [N]
        for rows in postings.rows(values):
            having[rows] = True
        return having

    def unknown(self, filters: Filters) -> UnknownValues:
        """What the filters name and the catalogue does not."""
        return UnknownValues(
            categories=self.categories.unknown([*(filters.categories_any or ()), *filters.categories_none]),
            brands=self.brands.unknown([*(filters.brands_any or ()), *filters.brands_none]),
        )


def _cards(bundle: ModelBundle) -> Iterator[ItemCard]:
    """The cards in catalogue order."""
    adapter, size = TypeAdapter(list[ItemCard]), len(bundle.cards)
    for start in range(0, size, CHUNK):
        chunk = (bundle.cards.encoded(row) for row in range(start, min(start + CHUNK, size)))
        try:
            yield from adapter.validate_json(b"[" + b",".join(chunk) + b"]")
        except ValidationError as error:
            raise BundleCorrupt(f"{bundle.folder / CARDS}.bin: {_complaint(error, bundle, start)}") from error


def _complaint(error: ValidationError, bundle: ModelBundle, start: int) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:
        return f"a card among items {start + 1} to {min(start + CHUNK, len(bundle.cards))} is no JSON: {first['msg']}"
    row, *field = first["loc"]
    item_id = bundle.catalog.item_id(start + int(row) + 1)
    return f"the card of item {item_id!r}, {'.'.join(map(str, field))}: {first['msg']}"
