"""Which items have which category and brand, and which are available: read once from the cards, when a bundle opens.

A filter becomes one bool per item. That costs microseconds for a hundred thousand items, whatever it asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.bundle import ModelBundle
from service.card_notes import CardNotes
from service.filters import Filters
from service.postings import Postings

FACET_VALUES = 100
"""Values of a facet that are worth showing to a person."""


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
        notes = CardNotes(bundle)
        for row, encoded in enumerate(bundle.cards.encoded_all()):
            notes.note(row, encoded)
        available = np.ones(len(bundle.catalog), np.bool_)  # [N]
        available[np.frombuffer(notes.unavailable, np.int32)] = False
        return cls(notes.categories, notes.brands, available)

    def facets(self) -> Facets:
        """Counted anew: a catalogue may have a million brands, and that takes a while."""
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
