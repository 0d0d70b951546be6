"""A csv of interactions, read line by line; what is wrong with it is named by file and line."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from math import isfinite
from operator import le
from pathlib import Path
from typing import BinaryIO, cast

UNREADABLE = (OSError, EOFError, UnicodeDecodeError, csv.Error)
HEADER = ["user_id", "item_id", "timestamp"]
MAX_ID = 256

BATCH = 200
"""Lines that are read and checked together. Many more would be slower: they leave the processor's caches, and Python's
garbage collection looks at each of them."""
LINE_END = re.compile(r"\r\n|\r|\n")

Batch = tuple[tuple[str, ...], tuple[str, ...], list[float]]
"""Of some lines in their order: their users, their items, their times in seconds."""


class SeedError(ValueError):
    """The interactions cannot be read or stored; names the file and line, or the server."""


class InteractionsFile:
    """`user_id,item_id,timestamp`, plain or as `.gz`."""

    def __init__(self, path: Path, *, is_sorted: bool = False) -> None:
        """Nothing is opened before `batches`. `is_sorted`: by user_id, as `LC_ALL=C sort` does; it is checked."""
        self.path = path
        self.is_sorted = is_sorted
        self._last_user = ""
        self.line = 0
        """The line that was read last; the header is line 1."""
        self._raw: BinaryIO | None = None

    def batches(self) -> Iterator[Batch]:
        """All lines in their order, BATCH at a time: so they are checked by the interpreter's own loops.

        Raises:
            SeedError: it is no such file, or a line is not such a line.
        """
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                yield from self._read(raw)
        except UNREADABLE as error:
            raise SeedError(f"{self.path}, after line {self.line}: {error}") from error
        finally:
            self._raw = None

    def _read(self, raw: BinaryIO) -> Iterator[Batch]:
        bytes_of = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if self.path.suffix == ".gz" else raw
        with TextIOWrapper(bytes_of, encoding="utf-8", newline="") as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, [])
            self.line = 1
            if header != HEADER:
                raise self._wrong(f"the header is {','.join(header)!r}, not {','.join(HEADER)!r}")
            while rows := self._rows(reader):
                batch = self._batch(rows)
                self.line = reader.line_num
                yield batch

    def _rows(self, reader: Iterator[list[str]]) -> list[list[str]]:
        """The next lines' fields; where a line cannot be read, what is wrong with those before it goes first."""
        rows: list[list[str]] = []
        try:
            rows.extend(islice(reader, BATCH))
        except UNREADABLE:
            self._check_each(rows)
            raise
        return rows

    def _batch(self, rows: list[list[str]]) -> Batch:
        try:
            users, items, stamps = zip(*rows, strict=True)  # a line of another length: no three columns
            times = list(map(float, stamps))
        except ValueError:
            self._check_each(rows)
            raise
        if not (self._are_names(users) and _are_times(times) and self._in_order(users)):
            self._check_each(rows)
        self._last_user = users[-1]
        return users, items, times

    @staticmethod
    def _are_names(users: Sequence[str]) -> bool:
        return all(users) and max(map(len, users)) <= MAX_ID

    def _in_order(self, users: Sequence[str]) -> bool:
        return not self.is_sorted or (self._last_user <= users[0] and all(map(le, users, users[1:])))

    def _check_each(self, rows: list[list[str]]) -> None:
        """Find the line that is wrong; afterwards `line` is the last of these."""
        for fields in rows:
            self.line += 1 + len(LINE_END.findall("".join(fields)))
            self._check(fields)

    def _check(self, fields: list[str]) -> None:
        if len(fields) != len(HEADER):
            raise self._wrong(f"{len(fields)} fields, not {len(HEADER)}")
        user, _, stamp = fields
        if not 0 < len(user) <= MAX_ID:
            raise self._wrong(f"user_id must have 1 to {MAX_ID} characters")
        try:
            time = float(stamp)
        except ValueError:
            raise self._wrong(f"timestamp {stamp!r} is no number") from None
        if not _are_times([time]):
            raise self._wrong(f"timestamp {stamp!r} is not a time in seconds")
        if self.is_sorted and user < self._last_user:
            raise self._wrong("its user_id comes before that of the line above, so the file is not sorted by user_id")
        self._last_user = user

    def _wrong(self, what: str) -> SeedError:
        return SeedError(f"{self.path}, line {self.line}: {what}")

    def read_share(self) -> float:
        """How much of the file's bytes was read so far, of 1."""
        return 1.0 if self._raw is None else self._raw.tell() / max(1, self.path.stat().st_size)


def _are_times(times: list[float]) -> bool:
    return all(map(isfinite, times)) and min(times) >= 0
