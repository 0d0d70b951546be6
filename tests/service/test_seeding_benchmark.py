"""The benchmark of seeding, small: the command stores what its files say, and a service is asked for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.histories.seeding import Rows, run
from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis


@pytest.fixture(scope="module")
def rows(bundle: ModelBundle) -> Rows:
    return Rows([bundle.catalog.item_id(k) for k in range(1, 61)], users=300, per_user=7, is_sorted=False)


@pytest.mark.parametrize("order", ["by time", "by user"])
def test_what_was_seeded_is_what_the_service_knows(tiny_bundle: Path, rows: Rows, tmp_path: Path, order: str) -> None:
    rows = replace(rows, is_sorted=order == "by user")
    rows.write(tmp_path / "rows.csv")
    with embedded_redis(64) as url:
        told = run(tiny_bundle, url, tmp_path / "rows.csv", rows)
    assert (told.users, told.rows, told.wrong) == (300, 2100, 0)
    assert told.said.startswith("300 users from 2100 rows; 0 users had a history already, 0 rows")
    assert told.asked == 300


def test_what_is_not_there_is_found_wrong(tiny_bundle: Path, rows: Rows, tmp_path: Path) -> None:
    rows.write(tmp_path / "rows.csv")
    with embedded_redis(64) as url:
        others = replace(rows, item_ids=rows.item_ids[::-1])
        assert run(tiny_bundle, url, tmp_path / "rows.csv", others).wrong == 300


def test_both_files_have_the_same_rows_in_another_order(rows: Rows, tmp_path: Path) -> None:
    rows.write(tmp_path / "by-time.csv")
    replace(rows, is_sorted=True).write(tmp_path / "by-user.csv")
    (head, *by_time), (_, *by_user) = (
        (tmp_path / name).read_text().splitlines() for name in ("by-time.csv", "by-user.csv")
    )
    assert head == "user_id,item_id,timestamp"
    assert by_time != by_user
    assert sorted(by_time) == sorted(by_user)
    assert [line.split(",")[0] for line in by_user] == sorted(line.split(",")[0] for line in by_time)
    assert [line.split(",")[2] for line in by_time] == sorted(line.split(",")[2] for line in by_user)
