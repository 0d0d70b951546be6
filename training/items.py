"""What is known of an item: one JSON object a line in `items.jsonl.gz`."""

from __future__ import annotations

from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.bundle import ItemCard
from training.errors import SourceInvalid
from training.gzip_files import read_bytes, write_bytes


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _or_none(value: object) -> object:
    return None if value == "" else value


def _or_true(value: object) -> object:
    return True if value is None else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) and value else value or []


Words = Annotated[str, BeforeValidator(_or_empty)]


class Item(BaseModel):
    """One item; every field but the id may be empty. Fields not known here are left aside (year, price, ..)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item_id: Annotated[str, BeforeValidator(_id), Field(pattern=r"\S")]
    """An integer in the JSON is taken as its digits."""
    title: Words = ""
    brand: Words = ""
    categories: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    """From the widest to the narrowest, where there is such an order."""
    description: Words = ""
    image: Annotated[str | None, BeforeValidator(_or_none)] = None
    """Path of a picture, relative to the folder in which the items' file lies."""
    text: Words = ""
    """Item text that the source made itself; encoders read it in place of the one made here."""
    domain: Words = ""
    """Which domain of a multi-domain catalogue the item belongs to."""
    available: Annotated[bool, BeforeValidator(_or_true)] = True
    """Whether it can be had. Nothing is learnt from it; the service can leave out what cannot."""

    def encoder_text(self) -> str:
        """What text encoders read: "title. categories. brand." (UniSRec, KDD 2022, section 2.1), or the source's own.

        Empty where the source says nothing of the item.
        """
        if self.text.strip():
            return _one_line(self.text)
        parts = (self.title, ", ".join(dict.fromkeys(filter(None, map(_one_line, self.categories)))), self.brand)
        return " ".join(f"{clean}." for clean in (_one_line(part).rstrip(" .") for part in parts) if clean)

    def card(self) -> ItemCard:
        """The part that goes online."""
        return ItemCard(title=self.title, brand=self.brand, categories=self.categories, available=self.available)


def read_items(path: Path) -> tuple[Item, ...]:
    """Read `items.jsonl` or `items.jsonl.gz`.

    Raises:
        SourceUnavailable: not there.
        SourceInvalid: no such file, a broken line, a field of the wrong type, or an id that stands twice; the message
            names file, line and field.
    """
    items: dict[str, Item] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(read_bytes(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        item = _parse(path, number, line)
        if item.item_id in items:
            first = lines[item.item_id]
            raise SourceInvalid(
                f"{path}, line {number}, field item_id: {item.item_id!r} stands in line {first} already"
            )
        items[item.item_id], lines[item.item_id] = item, number
    return tuple(items.values())


def write_items(path: Path, items: Iterable[Item]) -> None:
    """Write `items.jsonl.gz`; fields without a value are left out."""
    lines = (item.model_dump_json(exclude_defaults=True) + "\n" for item in items)
    write_bytes(path, "".join(lines).encode())


def _parse(path: Path, number: int, line: bytes) -> Item:
    try:
        return Item.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "(the whole line)"
        raise SourceInvalid(f"{path}, line {number}, field {field}: {first['msg']}") from error


def _one_line(text: str) -> str:
    """HTML entities resolved (shop data is full of them), white space made single."""
    return " ".join(unescape(text).split())
