"""A filter by the index is the filter item by item."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples

from service.bundle import BundleCorrupt, BundleDraft, ModelBundle, PackedStrings, seal
from service.bundle.files import CARDS
from service.filters import Filters
from service.item_index import ItemIndex, UnknownValues
from tests.service.asked_filters import filters, meets


@pytest.fixture(scope="module")
def sold_out(sold_out_bundle: Path) -> ModelBundle:
    return ModelBundle.read(sold_out_bundle)


@pytest.fixture(scope="module")
def index(sold_out: ModelBundle) -> ItemIndex:
    return ItemIndex.of(sold_out)


@examples(max_examples=200, deadline=None)
@given(wanted=filters)
def test_it_allows_what_meets_every_condition(index: ItemIndex, sold_out: ModelBundle, wanted: Filters) -> None:
    assert index.allowed(wanted).tolist() == [meets(sold_out.card(k), wanted) for k in range(1, 61)]
    assert wanted.constrain == (wanted != Filters())


def test_values_that_no_item_has_are_named_once_each(index: ItemIndex) -> None:
    wanted = Filters(categories_any=["Krime", "Crime"], categories_none=["Krime", "crime"], brands_none=["Acme"])
    assert index.unknown(wanted) == UnknownValues(categories=("Krime", "crime"), brands=("Acme",))
    assert index.unknown(Filters(categories_any=["Rare"], brands_any=["Crime"])) == UnknownValues()


def test_facets_are_the_values_that_most_items_have(index: ItemIndex, sold_out: ModelBundle) -> None:
    every = [sold_out.card(k) for k in range(1, 61)]
    categories = Counter(category for card in every for category in set(card.categories))
    assert dict(index.facets().categories) == categories
    assert dict(index.facets().brands) == Counter(card.brand for card in every if card.brand)
    counted = [(-items, value) for value, items in index.facets().categories]
    assert counted == sorted(counted)
    assert index.categories.most_frequent(2) == index.facets().categories[:2]


@pytest.mark.parametrize(
    ("card", "named"),
    [
        ('{"title": 7}', r"item_cards\.bin: the card of item 'книга-23', title"),
        ('{"price": 7}', r"item_cards\.bin: the card of item 'книга-23', price"),
        ('{"available": "perhaps"}', r"item_cards\.bin: the card of item 'книга-23', available"),
        ('{"title": ', r"item_cards\.bin: the card of item 'книга-23' is no JSON"),
        ('{"title":"a","brand":"","categories":["x","y"],"price":7}', r"the card of item 'книга-23', price"),
        ('{"title":"a\tb","brand":"","categories":[]}', r"the card of item 'книга-23' is no JSON"),
        ('{"title":"a"b","brand":"","categories":[]}', r"the card of item 'книга-23' is no JSON"),
        ('{"title":"a\\x","brand":"","categories":[]}', r"the card of item 'книга-23' is no JSON"),
    ],
)
def test_a_card_that_is_none_is_named(bundle_copy: Path, card: str, named: str) -> None:
    cards = list(PackedStrings.read(bundle_copy, CARDS))
    PackedStrings.pack([*cards[:22], card, *cards[23:]]).write(bundle_copy, CARDS)
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    seal(bundle_copy, BundleDraft.model_validate({k: manifest[k] for k in manifest if k in BundleDraft.model_fields}))
    with pytest.raises(BundleCorrupt, match=named):
        ItemIndex.of(ModelBundle.read(bundle_copy))
