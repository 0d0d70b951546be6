"""Bad files are refused with file and row; good ones give the newest items in order of time."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from rich.progress import Progress

from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis
from service.history_keys import history_key
from service.interactions_file import BATCH, InteractionsFile, SeedError
from service.packed_items import pack
from service.seed_display import LOG_SECONDS, SeedBar, SeedLog
from service.seed_store import SeedLimits
from service.seeding import Seeded, SeedProgress, seed
from service.user_rows import by_user, on_disk

LIMITS = SeedLimits(3, 60)
ROOT = Path(__file__).parents[2]


def write(path: Path, *rows: str) -> Path:
    text = "\n".join(["user_id,item_id,timestamp", *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_the_newest_are_stored_in_order_of_time(bundle: ModelBundle, redis_url: str, tmp_path: Path, name: str) -> None:
    user, told = f"{{seed}} {uuid4().hex}", list[SeedProgress]()
    path = write(
        tmp_path / name, f"{user},book-05,50", f"{user},book-01,10", f"{user},book-03,30", f"{user},nix,40",
        f"{user},book-02,20",
    )  # fmt: skip
    found = seed(InteractionsFile(path), bundle.catalog, redis_url, LIMITS, told.append)
    assert (found.rows, found.unknown_items, found.users, found.already_there) == (5, 1, 1, 0)
    assert told == [SeedProgress("reading", 1.0, 0), SeedProgress("storing", 1.0, 1)]
    with Redis.from_url(redis_url) as redis:
        assert redis.get(history_key(user)) == b"".join(map(pack, ["book-02", "book-03", "book-05"]))
        assert 0 < redis.ttl(history_key(user)) <= 60


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("u,book-01", "line 3: 2 fields"),
        ("u,book-01,yesterday", "line 3: timestamp 'yesterday'"),
        ("u,book-01,nan", "line 3: timestamp 'nan'"),
        ("u,book-01,-1", "line 3: timestamp '-1'"),
        (",book-01,1", "line 3: user_id"),
        ('"u,book-01,1', "unexpected end"),
    ],
)
def test_a_bad_row_is_named(bundle: ModelBundle, redis_url: str, tmp_path: Path, row: str, told: str) -> None:
    path = write(tmp_path / "rows.csv", "u,book-01,1", row)
    with pytest.raises(SeedError, match=told) as caught:
        seed(InteractionsFile(path), bundle.catalog, redis_url, LIMITS, lambda _: None)
    assert str(path) in str(caught.value)


FAR = 2 * BATCH + 7
"""A line that is read when others were read, checked and passed on before."""


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("u,book-01", "2 fields"),
        ("u,book-01,1,1", "4 fields"),
        ("", "0 fields"),
        ("u,book-01,inf", "timestamp 'inf'"),
        ("a" * 257 + ",book-01,1", "user_id"),
        ("a,book-01,1", "not sorted by user_id"),
    ],
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_a_bad_row_among_many_is_named_by_its_line(tmp_path: Path, name: str, row: str, told: str) -> None:
    rows = ["u,book-01,1"] * FAR
    rows[3] = 'u,"book\n\r\n01",1'  # takes three lines
    rows[FAR - 4] = row
    file = InteractionsFile(write(tmp_path / name, *rows), is_sorted=True)
    with pytest.raises(SeedError, match=rf"line {FAR}: .*{told}"):
        list(file.batches())


def test_of_two_wrong_lines_the_first_is_named(tmp_path: Path) -> None:
    file = InteractionsFile(write(tmp_path / "rows.csv", "u,book-01,1", "u,book-01,soon", '"u,book-01,1'))
    with pytest.raises(SeedError, match="line 3: timestamp 'soon'"):
        list(file.batches())
    file = InteractionsFile(write(tmp_path / "open.csv", *["u,book-01,1"] * FAR, '"u,book-01,1'))
    with pytest.raises(SeedError, match=f"after line {FAR + 1}: unexpected end"):
        list(file.batches())


def test_order_is_asked_for_over_all_lines(tmp_path: Path) -> None:
    users = sorted(f"{number:05d}" for number in range(FAR))
    lines = [f"{user},book-01,1" for user in users]
    batches = list(InteractionsFile(write(tmp_path / "rows.csv", *lines), is_sorted=True).batches())
    assert [user for batch in batches for user in batch[0]] == users
    lines[BATCH - 1], lines[BATCH] = lines[BATCH], lines[BATCH - 1]  # over the edge between two batches
    with pytest.raises(SeedError, match=f"line {BATCH + 2}: .*not sorted"):
        list(InteractionsFile(write(tmp_path / "mixed.csv", *lines), is_sorted=True).batches())


def test_files_that_are_none_are_named(bundle: ModelBundle, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "header.csv").write_text("a,b\n1,2\n")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"user_id,item_id,timestamp\n" * 100)[:-9])
    (tmp_path / "latin.csv").write_bytes(b"user_id,item_id,timestamp\n\xff,a,1\n")
    for name in ("header.csv", "cut.csv.gz", "latin.csv", "none.csv"):
        with pytest.raises(SeedError, match=name):
            seed(InteractionsFile(tmp_path / name), bundle.catalog, redis_url, LIMITS, lambda _: None)


def test_a_server_that_is_not_there_is_told(bundle: ModelBundle, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "u,book-01,1")
    with pytest.raises(SeedError, match="Redis"):
        seed(InteractionsFile(path), bundle.catalog, f"unix://{tmp_path / 'none.sock'}", LIMITS, lambda _: None)


rows = st.lists(
    st.tuples(st.sampled_from(["a", "b", "B", "é", "\x00", "a,b"]), st.floats(0, 9).map(round), st.integers(1, 60))
)


@settings(max_examples=50, deadline=None)
@given(rows, st.sampled_from([(1, 1), (1, 200), (3, 50), (50_000, 64 << 20)]))
def test_rows_brought_together_on_disk_are_rows_sorted_in_memory(
    some: list[tuple[str, float, int]], held: tuple[int, int]
) -> None:
    """However many are held in memory before they are packed, and before they are written."""
    with on_disk(*held) as disk:
        disk.add(some[: len(some) // 2])
        disk.add(some[len(some) // 2 :])
        assert disk.rows == len(some)
        found = list(disk.by_user())
        assert disk.passed == len(some)
    assert sorted(found) == list(by_user(sorted(some, key=lambda row: row[0])))
    assert sorted(user for user, _ in found) == sorted({user for user, _, _ in some})


def test_a_disk_that_is_full_is_told_and_nothing_is_stored(tiny_bundle: Path, tmp_path: Path) -> None:
    """Files of this process may have 4 KB."""
    file = write(tmp_path / "rows.csv", *(f"user-{k},book-01,1" for k in range(2000)))
    with embedded_redis(16) as url:
        words = [sys.executable, "-m", "service", "seed", str(tiny_bundle), "--interactions", str(file), "--redis", url]
        limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *words]
        done = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        with Redis.from_url(url) as redis:
            assert redis.dbsize() == 0
    assert done.returncode == 1
    assert "rows.csv: its rows cannot be kept on disk" in done.stderr


def test_a_file_sorted_by_user_needs_no_disk_and_gives_the_same(
    bundle: ModelBundle, redis_url: str, tmp_path: Path
) -> None:
    mark = uuid4().hex
    lines = [
        f"{mark}-{user},book-{item:02d},{time}" for user in "ab" for item, time in ((5, 50), (1, 10), (3, 30), (2, 20))
    ]
    file = InteractionsFile(write(tmp_path / "rows.csv", *lines), is_sorted=True)
    told = list[SeedProgress]()
    assert seed(file, bundle.catalog, redis_url, LIMITS, told.append) == Seeded(8, 0, 2, 0, 0)
    assert told == [SeedProgress("storing", 1.0, 2)]
    with Redis.from_url(redis_url) as redis:
        for user in "ab":
            assert redis.get(history_key(f"{mark}-{user}")) == b"".join(map(pack, ["book-02", "book-03", "book-05"]))


def test_a_file_that_is_not_sorted_is_told_with_its_line(bundle: ModelBundle, redis_url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "b,book-01,1", "a,book-01,1")
    with pytest.raises(SeedError, match=r"rows.csv, line 3: .* not sorted by user_id"):
        seed(InteractionsFile(path, is_sorted=True), bundle.catalog, redis_url, LIMITS, lambda _: None)


def test_what_was_broken_off_can_be_begun_again(bundle: ModelBundle, redis_url: str, tmp_path: Path) -> None:
    mark = uuid4().hex
    path = write(tmp_path / "rows.csv", *(f"{mark}-{k:04d},book-01,1" for k in range(1200)))

    def stop_after(users: int) -> Callable[[SeedProgress], None]:
        def told(progress: SeedProgress) -> None:
            if progress.users >= users:
                raise KeyboardInterrupt

        return told

    with pytest.raises(KeyboardInterrupt):
        seed(InteractionsFile(path), bundle.catalog, redis_url, LIMITS, stop_after(500))
    again = seed(InteractionsFile(path), bundle.catalog, redis_url, LIMITS, lambda _: None)
    assert (again.users, again.already_there) == (700, 500)


def test_a_redis_that_is_too_small_is_told(bundle: ModelBundle, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", *(f"user-{k:04d},book-01,1" for k in range(5000)))
    with embedded_redis(16) as url, Redis.from_url(url) as redis:
        redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 400_000)
        found = seed(InteractionsFile(path), bundle.catalog, url, LIMITS, lambda _: None)
        assert found.evicted > 0
        assert found.evicted + redis.dbsize() == found.users == 5000


def test_the_log_tells_rate_and_what_remains_now_and_then() -> None:
    now = [100.0]
    with structlog.testing.capture_logs() as logs:
        log = SeedLog(lambda: now[0])
        for k in range(50):
            log(SeedProgress("reading", k / 50, 0))
            now[0] += 1
        for k in range(51):
            log(SeedProgress("storing", k / 50, 30 * k))
            now[0] += 1
    assert len(logs) == 100 // LOG_SECONDS
    assert {"percent": 20.0, "seconds_left": 40}.items() <= logs[0].items()
    assert {"percent": 100.0, "users": 1500, "users_per_second": 30, "seconds_left": 0}.items() <= logs[-1].items()


def test_on_a_terminal_a_bar_tells_the_rate_of_each_step() -> None:
    now = [0.0]
    with Progress(disable=True) as bar:
        told = SeedBar(bar, lambda: now[0])
        for progress in (
            SeedProgress("reading", 0.5, 0), SeedProgress("storing", 0.0, 0), SeedProgress("storing", 0.4, 5000),
        ):  # fmt: skip
            told(progress)
            now[0] += 2
        assert [(task.description, task.completed, task.fields["rate"]) for task in bar.tasks] == [
            ("reading", 0.5, ""),
            ("storing", 0.4, "5,000 users, 2,500/s"),
        ]
