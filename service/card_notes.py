"""What a filter may ask of an item, read from its card: parsed once, and recognised by its bytes from then on.

To parse a card takes several microseconds, which is a minute and more for 20 million of them; but what stands behind
title and brand, categories and availability, is the same for many items.
"""

from __future__ import annotations

import re
from array import array

from pydantic import ValidationError

from service.bundle import BundleCorrupt, ItemCard, ModelBundle
from service.bundle.files import CARDS
from service.postings import Note, Postings

MOST_KNOWN = 100_000
"""Endings of cards, and brands, that are remembered."""
_PLAIN = rb'[^"\\\x00-\x1f]*'
_HEAD = re.compile(rb'\{"title":"%b","brand":"(%b)"' % (_PLAIN, _PLAIN))
"""How a card begins that has nothing to escape in its title and its brand."""


class CardNotes:
    """Notes rows of cards, in their order, where they belong."""

    def __init__(self, bundle: ModelBundle) -> None:
        """Nothing is read yet."""
        self.categories = Postings()
        self.brands = Postings()
        self.unavailable = array("i")
        """Rows of items that cannot be had."""
        self._bundle = bundle
        self._endings: dict[bytes, list[Note]] = {}
        self._brands: dict[bytes, Note] = {}

    def note(self, row: int, encoded: bytes) -> None:
        """Note one card.

        Raises:
            BundleCorrupt: it is none; names file and item.
        """
        head = _HEAD.match(encoded)
        if head is None or not _is_text(encoded):
            card = self._parsed(row, encoded)
            brand, notes = card.brand.encode(), self._notes(card)
        else:
            brand, notes = head[1], self._notes_of_ending(row, encoded, head.end())
        for note in notes:
            note(row)
        if brand:
            (self._brands.get(brand) or self._note_of_brand(brand))(row)

    def _notes_of_ending(self, row: int, encoded: bytes, start: int) -> list[Note]:
        ending = encoded[start:]
        notes = self._endings.get(ending)
        if notes is None:
            notes = self._notes(self._parsed(row, encoded))
            if len(self._endings) < MOST_KNOWN:
                self._endings[ending] = notes
        return notes

    def _note_of_brand(self, brand: bytes) -> Note:
        note = self.brands.note(brand.decode())
        if len(self._brands) < MOST_KNOWN:
            self._brands[brand] = note
        return note

    def _notes(self, card: ItemCard) -> list[Note]:
        notes: list[Note] = [self.categories.note(category) for category in set(card.categories)]
        notes += [] if card.available else [self.unavailable.append]
        return notes

    def _parsed(self, row: int, encoded: bytes) -> ItemCard:
        try:
            return ItemCard.model_validate_json(encoded)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            item = f"{self._bundle.folder / CARDS}.bin: the card of item {self._bundle.catalog.item_id(row + 1)!r}"
            raise BundleCorrupt(f"{item}{f', {field}' if field else ' is no JSON'}: {first['msg']}") from error


def _is_text(encoded: bytes) -> bool:
    if encoded.isascii():
        return True
    try:
        encoded.decode()
    except UnicodeDecodeError:
        return False
    return True
