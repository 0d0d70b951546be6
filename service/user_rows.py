"""The rows of each user together, for files of any length: memory holds one user, and a bounded cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

Row = tuple[str, float, int]
"""User, time, and what of the user happened then."""

CACHE_MB = 64
SET_UP = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -{CACHE_MB * 1024};
CREATE TABLE row (user TEXT NOT NULL, time REAL NOT NULL, what INTEGER NOT NULL);
"""


def by_user(rows: Iterable[Row]) -> Iterator[tuple[str, list[int]]]:
    """What happened of each user, oldest first, out of rows sorted by user.

    Rows of equal time keep their order. The caller sees to it that the users are sorted.
    """
    for user, theirs in groupby(rows, key=itemgetter(0)):
        yield user, [what for _, _, what in sorted(theirs, key=itemgetter(1))]


class UserRows:
    """Rows in any order, sorted on disk by SQLite."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Use `sorted_on_disk`."""
        self._database = database
        self.rows = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take in rows; how many there are then stands in `rows`."""
        self.rows += self._database.executemany("INSERT INTO row VALUES (?, ?, ?)", rows).rowcount

    def sorted(self) -> Iterator[Row]:
        """All rows by user, then time, then as they came."""
        query = "SELECT user, time, what FROM row ORDER BY user, time, rowid"
        for row in self._database.execute(query):  # noqa: UP028 - `yield from` would close it after the database
            yield row


@contextmanager
def sorted_on_disk() -> Iterator[UserRows]:
    """Rows in a temporary folder (TMPDIR) that goes with the `with`. It takes about 40 bytes a row, and as much again
    while they are sorted.

    Raises:
        sqlite3.Error: the disk is full, or cannot be written to.
    """
    with TemporaryDirectory(prefix="rec-seed-") as folder, closing(sqlite3.connect(Path(folder) / "rows")) as database:
        database.executescript(SET_UP)
        yield UserRows(database)
