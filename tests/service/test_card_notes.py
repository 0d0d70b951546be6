"""What is recognised by its bytes is noted as what is parsed, and what is no card is not recognised."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service import card_notes
from service.bundle import BundleCorrupt, ItemCard, ItemCatalog, ModelBundle
from service.card_notes import CardNotes
from service.postings import Postings

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "a", 'a"b', "é", "a\\", "\n"]
)
cards = st.builds(
    ItemCard, title=texts, brand=texts, categories=st.lists(texts, max_size=3).map(tuple), available=st.booleans()
)


def noted(encoded: list[bytes]) -> CardNotes:
    catalog = ItemCatalog.from_ids(f"i{k}" for k in range(len(encoded)))
    notes = CardNotes(cast("ModelBundle", SimpleNamespace(folder=Path("here"), catalog=catalog)))
    for row, one in enumerate(encoded):
        notes.note(row, one)
    return notes


def rows_of(postings: Postings) -> dict[str, list[int]]:
    found = dict(postings.most_frequent(1000))
    return {value: next(iter(postings.rows([value]))).tolist() for value, count in found.items() if count}


@given(st.lists(cards, max_size=30), st.sampled_from([0, 2, 1000]))
def test_every_value_has_its_rows(given_cards: list[ItemCard], most_known: int) -> None:
    expected: dict[str, defaultdict[str, list[int]]] = {"categories": defaultdict(list), "brands": defaultdict(list)}
    for row, card in enumerate(given_cards):
        for category in set(card.categories):
            expected["categories"][category].append(row)
        if card.brand:
            expected["brands"][card.brand].append(row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(card_notes, "MOST_KNOWN", most_known)
        notes = noted([card.to_json().encode() for card in given_cards])
    assert rows_of(notes.categories) == expected["categories"]
    assert rows_of(notes.brands) == expected["brands"]
    assert notes.unavailable.tolist() == [row for row, card in enumerate(given_cards) if not card.available]


GOOD = b'{"title":"a","brand":"b","categories":["c"]}'
pieces = st.sampled_from(
    [b'"', b"\\", b"{", b"}", b",", b":", b"a", b"\xff", b"\xc3\xa9", b"\n", b"\\n", b"\\u00e9", b"[", b"]", b'"title"',
     b'"brand"', b'"categories"', b'"available"', b"true", b"7", b" "]
)  # fmt: skip


@given(st.integers(0, len(GOOD)), st.integers(0, 8), st.lists(pieces, max_size=4))
def test_what_is_no_card_is_refused_though_one_like_it_was_seen(at: int, cut: int, put: list[bytes]) -> None:
    damaged = GOOD[:at] + b"".join(put) + GOOD[at + cut :]
    try:
        card = ItemCard.model_validate_json(damaged)
    except ValidationError:
        with pytest.raises(BundleCorrupt, match=r"item_cards\.bin: the card of item 'i1'"):
            noted([GOOD, damaged])
        return
    notes = noted([GOOD, damaged])
    assert [value for value, rows in rows_of(notes.brands).items() if 1 in rows] == ([card.brand] if card.brand else [])
    assert {value for value, rows in rows_of(notes.categories).items() if 1 in rows} == set(card.categories)


@pytest.mark.parametrize("extra", [{"price": 7}, {"available": "perhaps"}, {"title": 7}])
def test_the_field_is_named(extra: dict[str, Any]) -> None:
    encoded = json.dumps({"title": "a", "brand": "b", "categories": ["c"]} | extra, separators=(",", ":")).encode()
    with pytest.raises(BundleCorrupt, match=f"the card of item 'i0', {next(iter(extra))}"):
        noted([encoded])


def test_rows_are_numbers_for_numpy() -> None:
    (rows,) = noted([GOOD, GOOD]).brands.rows(["b"])
    assert rows.dtype == np.int32
