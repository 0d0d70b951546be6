from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD, BundleMissing, ItemCatalog

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
id_lists = st.lists(texts, min_size=1, max_size=60, unique=True)
COLLIDING = ["plumless", "buckeroo"]  # one crc32


@given(id_lists, st.lists(texts, max_size=20))
def test_ids_and_indices_are_each_others_inverse(ids: list[str], others: list[str]) -> None:
    catalog = ItemCatalog.from_ids(ids)
    assert list(catalog) == ids
    assert len(catalog) == len(ids)
    assert [catalog.index(one) for one in ids] == list(range(1, len(ids) + 1))
    assert [catalog.item_id(k) for k in range(1, len(ids) + 1)] == ids
    asked = ids + others
    assert catalog.indices(asked).tolist() == [ids.index(one) + 1 if one in ids else PAD for one in asked]
    assert all((one in catalog) is (one in ids) for one in asked)


def test_colliding_hashes_are_told_apart() -> None:
    catalog = ItemCatalog.from_ids(["a", *COLLIDING, "🦉"])
    assert catalog.indices([*COLLIDING, "🦉", "a"]).tolist() == [2, 3, 4, 1]
    assert ItemCatalog.from_ids(COLLIDING[:1]).index(COLLIDING[1]) is None


def test_the_pad_is_no_item() -> None:
    catalog = ItemCatalog.from_ids(["a"])
    for outside in (PAD, 2, -1):
        with pytest.raises(IndexError):
            catalog.item_id(outside)
    assert catalog.index("\ud800") is None
    assert catalog.indices(["\ud800", ""]).tolist() == [PAD, PAD]


@pytest.mark.parametrize("ids", [["a", "b", "a"], ["🦉", "🦉"], [*COLLIDING, "plumless"], [*COLLIDING, "buckeroo"]])
def test_an_id_twice_is_refused_and_named(ids: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{ids[-1]}.*twice"):
        ItemCatalog.from_ids(ids)


def test_an_empty_id_is_refused_and_its_place_told() -> None:
    with pytest.raises(ValueError, match="item 2 "):
        ItemCatalog.from_ids(["a", "", "b"])


@given(id_lists)
def test_the_fingerprint_depends_on_order_and_borders(ids: list[str]) -> None:
    fingerprint = ItemCatalog.from_ids(ids).fingerprint
    assert fingerprint == ItemCatalog.from_ids(list(ids)).fingerprint
    if len(ids) > 1:
        assert fingerprint != ItemCatalog.from_ids(ids[::-1]).fingerprint
        assert fingerprint != ItemCatalog.from_ids(["".join(ids)]).fingerprint


def test_it_comes_back_from_a_folder(tmp_path: Path) -> None:
    catalog = ItemCatalog.from_ids(["a", "🦉", "c"])
    catalog.write(tmp_path)
    assert ItemCatalog.read(tmp_path).fingerprint == catalog.fingerprint
    with pytest.raises(BundleMissing, match="item_ids"):
        ItemCatalog.read(tmp_path / "none")
