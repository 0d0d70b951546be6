import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import ItemCard
from training.errors import SourceInvalid
from training.items import Item, read_items, write_items


def lines(folder: Path, *rows: str) -> Path:
    path = folder / "items.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_text_is_title_categories_brand() -> None:
    item = Item(item_id="1", title="Hammer ", categories=("Tools", "Hand  Tools", "Tools"), brand="Acme.")
    assert item.encoder_text() == "Hammer. Tools, Hand Tools. Acme."


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (Item(item_id="1"), ""),
        (Item(item_id="1", title=" . ", brand=" "), ""),
        (Item(item_id="1", brand="Acme"), "Acme."),
        (Item(item_id="1", title="Salt &amp; Pepper\n Mill"), "Salt & Pepper Mill."),
        (Item(item_id="1", title="Hammer", text="ready\tmade"), "ready made"),
        (Item(item_id="1", title="Hammer", text="  "), "Hammer."),
    ],
)
def test_text_holds_only_what_is_known(item: Item, text: str) -> None:
    assert item.encoder_text() == text


WORDS = st.text(max_size=12)


@given(st.builds(Item, item_id=st.just("1"), title=WORDS, brand=WORDS, categories=st.tuples(WORDS, WORDS), text=WORDS))
def test_text_is_one_clean_line(item: Item) -> None:
    text = item.encoder_text()
    assert text == " ".join(text.split())


def test_the_card_shows_title_brand_categories() -> None:
    item = Item(item_id="1", title="Hammer", brand="Acme", categories=("Tools",), description="long")
    assert item.card() == ItemCard(title="Hammer", brand="Acme", categories=("Tools",))


@pytest.mark.parametrize(("stated", "available"), [("true", True), ("false", False), ("null", True), ("0", False)])
def test_an_item_is_available_unless_it_is_said_not_to_be(tmp_path: Path, stated: str, *, available: bool) -> None:
    (item,) = read_items(lines(tmp_path, f'{{"item_id": "a", "available": {stated}}}'))
    assert item.available is item.card().available is available


def test_ids_may_be_numbers_and_unknown_fields_are_left_aside(tmp_path: Path) -> None:
    row = json.dumps({"item_id": 7, "title": None, "categories": None, "image": "", "year": 1995, "actors": ["x"]})
    assert read_items(lines(tmp_path, row, "")) == (Item(item_id="7"),)


def test_one_category_may_stand_without_a_list(tmp_path: Path) -> None:
    assert read_items(lines(tmp_path, '{"item_id": "a", "categories": "Tools"}'))[0].categories == ("Tools",)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    items = (
        Item(item_id="ä", title="Ü\n2", brand="b", categories=("c", "d"), description="e", image="f.jpg", text="g"),
        Item(item_id="0", available=False),
    )
    write_items(tmp_path / "items.jsonl.gz", items)
    assert read_items(tmp_path / "items.jsonl.gz") == items


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"item_id": "b", "title": ', r"line 2, field \(the whole line\): Invalid JSON"),
        ("[1]", "line 2"),
        ('{"title": "x"}', "line 2, field item_id: Field required"),
        ('{"item_id": " "}', "line 2, field item_id"),
        ('{"item_id": true}', "line 2, field item_id"),
        ('{"item_id": "b", "title": 5}', "line 2, field title"),
        ('{"item_id": "b", "categories": ["x", 5]}', r"line 2, field categories\.1"),
        ('{"item_id": "b", "available": "perhaps"}', "line 2, field available"),
        ('{"item_id": "a"}', "line 2, field item_id: 'a' stands in line 1 already"),
    ],
)
def test_a_bad_line_is_named_with_file_row_and_field(tmp_path: Path, row: str, message: str) -> None:
    path = lines(tmp_path, '{"item_id": "a"}', row)
    with pytest.raises(SourceInvalid, match=message) as caught:
        read_items(path)
    assert str(caught.value).startswith(str(path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_bytes(b'{"item_id": "\xff"}\n')
    with pytest.raises(SourceInvalid, match="line 1"):
        read_items(tmp_path / "items.jsonl")
