from dataclasses import replace

import numpy as np
import pytest

from training.dataset import Dataset
from training.students.item_fields import UNKNOWN, ItemFields, item_fields


def said(dataset: Dataset, brands: list[str], categories: list[tuple[str, ...]]) -> Dataset:
    """The data set, its first items said to be of these; nothing is said of the others."""
    silent = len(dataset.items) - len(brands)
    words = zip(brands + [""] * silent, categories + [()] * silent, strict=True)
    items = (
        item.model_copy(update={"brand": brand, "categories": category})
        for item, (brand, category) in zip(dataset.items, words, strict=True)
    )
    return replace(dataset, items=tuple(items))


def test_equal_words_are_one_value_whatever_their_form(markov: Dataset) -> None:
    brands = ["Black &amp; Decker", " black  &\tDECKER ", "3M", "", "  "]
    fields = item_fields(said(markov, brands, [()] * 5))
    assert fields.brand[:6].tolist() == [UNKNOWN, 2, 2, 1, UNKNOWN, UNKNOWN]
    assert (fields.brands, fields.categories) == (2, 0)


def test_the_category_is_the_narrowest_that_is_said(markov: Dataset) -> None:
    chains = [("Tools", "Saws"), ("Saws",), ("Tools",), ("Tools", "Saws", " "), ()]
    fields = item_fields(said(markov, [""] * 5, chains))
    assert fields.category[:6].tolist() == [UNKNOWN, 1, 1, 2, 1, UNKNOWN]
    assert (fields.brands, fields.categories) == (0, 2)


def test_every_value_of_a_data_set_is_in_use_and_told_apart_as_its_words_are(markov: Dataset) -> None:
    fields = item_fields(markov)
    assert fields.items == len(markov.catalog)
    assert {*fields.brand[1:].tolist()} - {UNKNOWN} == {*range(1, fields.brands + 1)}
    assert fields.brands == len({item.brand for item in markov.items} - {""}) > 1
    assert fields.categories == len({item.categories[-1] for item in markov.items if item.categories}) > 1


def test_fields_cannot_be_changed() -> None:
    fields = ItemFields(np.array([0, 1]), np.array([0, 2]))
    with pytest.raises(ValueError, match="read-only"):
        fields.brand[1] = 2


@pytest.mark.parametrize(
    ("brand", "category", "message"),
    [
        ([0, 1], [0], "brand .*, category .*: of different catalogues"),
        ([1, 1], [0, 1], "brand: not one value"),
        ([0, 1], [0, -1], "category: not one value"),
        ([], [], "brand: not one value"),
    ],
)
def test_fields_that_contradict_themselves_are_refused(brand: list[int], category: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ItemFields(np.array(brand, dtype=np.int64), np.array(category, dtype=np.int64))
