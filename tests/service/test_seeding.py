"""Bad files are refused with file and row; good ones give the newest items in order of time."""

from __future__ import annotations

import gzip
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from service.bundle import ModelBundle
from service.history_keys import history_key
from service.packed_items import pack
from service.seeding import SeedError, SeedLimits, seed

LIMITS = SeedLimits(3, 60)


def write(path: Path, *rows: str) -> Path:
    text = "\n".join(["user_id,item_id,timestamp", *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_the_newest_are_stored_in_order_of_time(bundle: ModelBundle, redis_url: str, tmp_path: Path, name: str) -> None:
    user, told = f"{{seed}} {uuid4().hex}", list[int]()
    path = write(
        tmp_path / name, f"{user},book-05,50", f"{user},book-01,10", f"{user},book-03,30", f"{user},nix,40",
        f"{user},book-02,20",
    )  # fmt: skip
    found = seed(path, bundle.catalog, redis_url, LIMITS, told.append)
    assert (found.rows, found.unknown_items, found.users, found.already_there) == (5, 1, 1, 0)
    assert told == [1]
    with Redis.from_url(redis_url) as redis:
        assert redis.get(history_key(user)) == b"".join(map(pack, ["book-02", "book-03", "book-05"]))
        assert 0 < redis.ttl(history_key(user)) <= 60


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("u,book-01", "row 3: 2 fields"),
        ("u,book-01,yesterday", "row 3: timestamp 'yesterday'"),
        ("u,book-01,nan", "row 3: timestamp 'nan'"),
        ("u,book-01,-1", "row 3: timestamp '-1'"),
        (",book-01,1", "row 3: user_id"),
        ('"u,book-01,1', "unexpected end"),
    ],
)
def test_a_bad_row_is_named(bundle: ModelBundle, redis_url: str, tmp_path: Path, row: str, told: str) -> None:
    path = write(tmp_path / "rows.csv", "u,book-01,1", row)
    with pytest.raises(SeedError, match=told) as caught:
        seed(path, bundle.catalog, redis_url, LIMITS, lambda _: None)
    assert str(path) in str(caught.value)


def test_files_that_are_none_are_named(bundle: ModelBundle, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "header.csv").write_text("a,b\n1,2\n")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"user_id,item_id,timestamp\n" * 100)[:-9])
    (tmp_path / "latin.csv").write_bytes(b"user_id,item_id,timestamp\n\xff,a,1\n")
    for name in ("header.csv", "cut.csv.gz", "latin.csv", "none.csv"):
        with pytest.raises(SeedError, match=name):
            seed(tmp_path / name, bundle.catalog, redis_url, LIMITS, lambda _: None)


def test_a_server_that_is_not_there_is_told(bundle: ModelBundle, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "u,book-01,1")
    with pytest.raises(SeedError, match="Redis"):
        seed(path, bundle.catalog, f"unix://{tmp_path / 'none.sock'}", LIMITS, lambda _: None)
