"""The processed data of UniSRec (Hou et al., KDD 2022), and of all who took its files over: leave-one-out, written out.

A folder holds NAME.train.inter, NAME.valid.inter, NAME.test.inter: a user, the (at most 50) items before, the item that
came next, tab-separated; NAME.text with the items' texts; NAME.item2index and NAME.user2index where the tables are by
number. The sequences are put together again, and every row must agree with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.errors import SourceInvalid, SourceUnavailable
from training.gzip_files import read_bytes
from training.items import Item
from training.sources.base import RawData

_HEADER = ["user_id:token", "item_id_list:token_seq", "item_id:token"]
_LONGEST = 50
"""A row shows no more of what came before."""


@dataclass(frozen=True)
class _Row:
    line: int
    before: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class UniSRecSource:
    """Such a folder; times are positions, so that leave-one-out gives the authors' own split."""

    folder: Path

    @property
    def name(self) -> str:
        """What the files are called before their first dot."""
        return self._table("train").name.removesuffix(".train.inter")

    def read(self) -> RawData:
        """Read and check all files.

        Raises:
            SourceUnavailable: a file is not there.
            SourceInvalid: file, line and user of a row that is broken or contradicts the user's other rows.
        """
        if not self.folder.is_dir():
            raise SourceUnavailable(f"{self.folder} is no folder")
        item_name, user_name = self._names("item2index"), self._names("user2index")
        histories = self._histories()
        rows = [
            (user_name.get(user, user), item_name.get(item, item), at)
            for user, items in histories.items()
            for at, item in enumerate(items, start=1)
        ]
        schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
        return RawData(
            pl.DataFrame(rows, schema=schema, orient="row"),
            self._items(),
            ("times are positions: the source says what came after what, not when",),
        )

    def _table(self, part: str) -> Path:
        found = sorted(self.folder.glob(f"*.{part}.inter"))
        if len(found) != 1:
            named = ", ".join(path.name for path in found) or "none"
            raise SourceUnavailable(f"{self.folder}: one file NAME.{part}.inter is needed, there is {named}")
        return found[0]

    def _histories(self) -> dict[str, list[str]]:
        """User -> items in order, from the rows of the three files."""
        train = {user: _put_together(self._table("train"), user, rows) for user, rows in self._rows("train").items()}
        valid, test = self._rows("valid"), self._rows("test")
        for user in [*train, *test]:
            if user not in valid:
                raise SourceInvalid(f"{self._table('valid')}: no row of user {user!r}, whom other files have")
        histories = {}
        for user, rows in valid.items():
            begun = train.get(user) or list(rows[0].before)
            begun = self._add("valid", user, begun, rows)
            histories[user] = self._add("test", user, begun, test.get(user, []))
        return histories

    def _add(self, part: str, user: str, begun: list[str], rows: Sequence[_Row]) -> list[str]:
        path = self._table(part)
        if len(rows) != 1:
            raise SourceInvalid(f"{path}: user {user!r} has {len(rows)} rows, not one")
        _require_before(path, user, rows[0], begun)
        return [*begun, rows[0].target]

    def _rows(self, part: str) -> dict[str, list[_Row]]:
        path, rows = self._table(part), dict[str, list[_Row]]()
        for number, fields in _lines(path):
            if number == 1:
                if fields != _HEADER:
                    raise SourceInvalid(f"{path}, line 1: the header is {fields}, not {_HEADER}")
                continue
            if len(fields) != len(_HEADER) or not fields[0].strip() or not fields[2].strip():
                raise SourceInvalid(
                    f"{path}, line {number}: user, items before and next item are wanted, tab-separated"
                )
            rows.setdefault(fields[0], []).append(_Row(number, tuple(fields[1].split()), fields[2].strip()))
        return rows

    def _names(self, suffix: str) -> dict[str, str]:
        """Number -> id; empty where the tables are by id."""
        path = self.folder / f"{self.name}.{suffix}"
        if not path.is_file():
            return {}
        names: dict[str, str] = {}
        for number, fields in _lines(path):
            if len(fields) != 2 or fields[1] in names:
                raise SourceInvalid(f"{path}, line {number}: an id and a number of its own are wanted, tab-separated")
            names[fields[1]] = fields[0]
        return names

    def _items(self) -> tuple[Item, ...]:
        path, items = self.folder / f"{self.name}.text", dict[str, Item]()
        for number, fields in _lines(path):
            if number == 1 and fields[0] == "item_id:token":
                continue
            if len(fields) != 2 or not fields[0].strip():
                raise SourceInvalid(f"{path}, line {number}: an item and its text are wanted, tab-separated")
            if fields[0] in items:
                raise SourceInvalid(f"{path}, line {number}: item {fields[0]!r} stands there already")
            items[fields[0]] = Item(item_id=fields[0], text=fields[1])
        return tuple(items.values())


def _put_together(path: Path, user: str, rows: Sequence[_Row]) -> list[str]:
    """The train items of a user: the published files have the longest row first, others the shortest."""
    ordered = rows if len(rows[0].before) <= len(rows[-1].before) and len(rows[0].before) == 1 else rows[::-1]
    items = list(ordered[0].before)
    for row in ordered:
        _require_before(path, user, row, items)
        items.append(row.target)
    return items


def _require_before(path: Path, user: str, row: _Row, items: Sequence[str]) -> None:
    if row.before != tuple(items[-_LONGEST:]):
        raise SourceInvalid(
            f"{path}, line {row.line}: what user {user!r} is said to have had before is not what the other rows say"
        )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line from 1, tab-separated fields)."""
    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceInvalid(f"{path} is not UTF-8: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r").split("\t")
