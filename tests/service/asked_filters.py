"""Filters that a caller may ask for of the tests' catalogue, sense and nonsense, and what they mean for one item."""

from __future__ import annotations

from hypothesis import strategies as st

from service.bundle import ItemCard
from service.filters import Filters

CATEGORIES = ["Books", "Crime", "Music", "Rare", "crime", "Krime"]
BRANDS = ["Blue Needle", "Long Road", "Crime", "Acme"]


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=4)


filters = st.builds(
    Filters,
    categories_any=st.none() | some(CATEGORIES),
    categories_none=st.just([]) | some(CATEGORIES),
    brands_any=st.none() | some(BRANDS),
    brands_none=st.just([]) | some(BRANDS),
    available_only=st.booleans(),
)


def meets(card: ItemCard, wanted: Filters) -> bool:
    """What the words of the API say, of one item."""
    has = set(card.categories)
    return (
        (wanted.categories_any is None or bool(has & set(wanted.categories_any)))
        and not has & set(wanted.categories_none)
        and (wanted.brands_any is None or card.brand in wanted.brands_any)
        and card.brand not in wanted.brands_none
        and (card.available or not wanted.available_only)
    )
