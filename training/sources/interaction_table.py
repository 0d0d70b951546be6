"""The one door for interactions: a table of strings in, a checked table out."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from training.errors import SourceInvalid
from training.gzip_files import read_bytes

COLUMNS = ("user_id", "item_id", "timestamp")
LATEST = 4_102_444_800
"""2100-01-01 in seconds: what lies beyond is milliseconds, or not a time."""


def read_interactions(path: Path) -> pl.DataFrame:
    """Read `interactions.csv` or `interactions.csv.gz` with columns user_id, item_id, timestamp; others are left aside.

    Raises:
        SourceUnavailable: not there.
        SourceInvalid: a missing column, an empty id, a timestamp that is not seconds; file, row and column are named.
    """
    try:
        table = pl.read_csv(read_bytes(path), infer_schema=False)  # all strings: 007 and 7 are two users
    except pl.exceptions.PolarsError as error:
        raise SourceInvalid(f"{path} is no CSV table: {str(error).splitlines()[0]}") from error
    return check_interactions(table, path.name if path.parent == Path() else str(path), first_line=2)


def check_interactions(table: pl.DataFrame, where: str, first_line: int = 1) -> pl.DataFrame:
    """Check a table of strings and give its timestamps as whole seconds.

    Args:
        table: with the three columns, as strings.
        where: the file, for messages.
        first_line: the line of the file in which the first row stands.

    Raises:
        SourceInvalid: see `read_interactions`.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise SourceInvalid(f"{where}: no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    if table.is_empty():
        raise SourceInvalid(f"{where}: no interactions, only a header")
    for column in COLUMNS:
        empty = pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")
        _refuse(table, (where, first_line), column, (empty, "is empty"))
    seconds = pl.col("timestamp").str.strip_chars().cast(pl.Float64, strict=False)
    for wrong, what in (
        (seconds.is_null() | seconds.is_nan() | seconds.is_infinite(), "is no number"),
        (seconds < 0, "is negative"),
        (seconds > LATEST, "lies beyond the year 2100: seconds are meant, not milliseconds"),
    ):
        _refuse(table, (where, first_line), "timestamp", (wrong, what))
    return table.select("user_id", "item_id", seconds.floor().cast(pl.Int64))


def _refuse(table: pl.DataFrame, place: tuple[str, int], column: str, wrong: tuple[pl.Expr, str]) -> None:
    is_wrong, what = wrong
    rows = table.select(is_wrong.alias("wrong"))["wrong"].arg_true()
    if len(rows):
        where, first_line = place
        value, more = table[column][rows[0]], f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        raise SourceInvalid(f"{where}, line {first_line + rows[0]}, column {column}: {value or ''!r} {what}{more}")
