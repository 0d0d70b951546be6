"""A csv of interactions, read line by line; what is wrong with it is named by file and line."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from io import TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import BinaryIO, cast

HEADER = ["user_id", "item_id", "timestamp"]
MAX_ID = 256

Interaction = tuple[str, str, float]
"""User, item, time in seconds."""


class SeedError(ValueError):
    """The interactions cannot be read or stored; names the file and line, or the server."""


class InteractionsFile:
    """`user_id,item_id,timestamp`, plain or as `.gz`."""

    def __init__(self, path: Path, *, is_sorted: bool = False) -> None:
        """Nothing is opened before `interactions`. `is_sorted`: by user_id, as `LC_ALL=C sort` does; it is checked."""
        self.path = path
        self.is_sorted = is_sorted
        self._last_user = ""
        self.line = 0
        """The line that was read last; the header is line 1."""
        self._raw: BinaryIO | None = None

    def interactions(self) -> Iterator[Interaction]:
        """Each line's, in their order.

        Raises:
            SeedError: it is no such file, or a line is not such a line.
        """
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                yield from self._read(raw)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise SeedError(f"{self.path}, after line {self.line}: {error}") from error
        finally:
            self._raw = None

    def _read(self, raw: BinaryIO) -> Iterator[Interaction]:
        bytes_of = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if self.path.suffix == ".gz" else raw
        with TextIOWrapper(bytes_of, encoding="utf-8", newline="") as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, [])
            self.line = 1
            if header != HEADER:
                raise self._wrong(f"the header is {','.join(header)!r}, not {','.join(HEADER)!r}")
            for fields in reader:
                self.line = reader.line_num
                yield self._interaction(fields)

    def _interaction(self, fields: list[str]) -> Interaction:
        if len(fields) != len(HEADER):
            raise self._wrong(f"{len(fields)} fields, not {len(HEADER)}")
        user, item, stamp = fields
        if not 0 < len(user) <= MAX_ID:
            raise self._wrong(f"user_id must have 1 to {MAX_ID} characters")
        try:
            time = float(stamp)
        except ValueError:
            raise self._wrong(f"timestamp {stamp!r} is no number") from None
        if not isfinite(time) or time < 0:
            raise self._wrong(f"timestamp {stamp!r} is not a time in seconds")
        if self.is_sorted and user < self._last_user:
            raise self._wrong("its user_id comes before that of the line above, so the file is not sorted by user_id")
        self._last_user = user
        return user, item, time

    def _wrong(self, what: str) -> SeedError:
        return SeedError(f"{self.path}, line {self.line}: {what}")

    def read_share(self) -> float:
        """How much of the file's bytes was read so far, of 1."""
        return 1.0 if self._raw is None else self._raw.tell() / max(1, self.path.stat().st_size)
