import gzip
import time
from hashlib import sha256
from pathlib import Path

import pytest

from tests.training.sources.odd_server import OddServer
from training.errors import SourceUnavailable
from training.sources.resumable import GZIP, DownloadConfig, Downloads

CONTENT = gzip.compress(bytes(range(256)) * 40, compresslevel=0, mtime=0)
HALF = len(CONTENT) // 2


def downloads(folder: Path, **changes: object) -> Downloads:
    return Downloads(folder, DownloadConfig.model_validate({"timeout": 5, "pause": 0, **changes}))


def test_a_file_is_fetched_once(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = CONTENT
    for _ in range(2):
        assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    assert odd.asked == [("/a.gz", "")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


def test_cut_off_it_goes_on_where_it_stopped(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["cut", "cut"]
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for _, asked in odd.asked]
    assert starts == [0, HALF, HALF + (len(CONTENT) - HALF) // 2]


def test_so_does_the_next_run(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["cut", "503"]
    for reason in ("cut off after", "HTTP 503"):
        with pytest.raises(SourceUnavailable, match=rf"{reason}.*{HALF:,} bytes are kept and the next run goes on"):
            downloads(tmp_path, attempts=1).fetch(f"{odd.address}/a.gz")
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    assert odd.asked[-1] == ("/a.gz", f"bytes={HALF}-")


def test_a_file_that_changed_meanwhile_is_fetched_anew(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["cut"]
    with pytest.raises(SourceUnavailable, match="cut off after"):
        downloads(tmp_path, attempts=1).fetch(f"{odd.address}/a.gz")
    odd.files["/a.gz"] = other = gzip.compress(b"another release", mtime=0)
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == other


@pytest.mark.parametrize("how", ["no-range", "wrong-range"])
def test_a_server_that_knows_no_ranges_or_gets_them_wrong(odd: OddServer, tmp_path: Path, how: str) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["cut", how]
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT


def test_a_part_of_a_file_without_a_version_is_not_gone_on_from(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = CONTENT
    (tmp_path / "a.gz.partial").write_bytes(b"of who knows what")
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    assert odd.asked == [("/a.gz", "")]


def test_killed_after_the_last_byte_nothing_is_fetched_again(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = CONTENT
    (tmp_path / "a.gz.partial").write_bytes(CONTENT)
    (tmp_path / "a.gz.partial.version").write_text(f'"{sha256(CONTENT).hexdigest()[:8]}"', encoding="utf-8")
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    assert len(odd.asked) == 1


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["503", "429"]
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT
    odd.asked.clear()
    with pytest.raises(SourceUnavailable, match=r"b\.gz cannot be fetched \(HTTP 404"):
        downloads(tmp_path).fetch(f"{odd.address}/b.gz")
    assert len(odd.asked) == 1


def test_a_silent_server_costs_the_time_limit(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["silent"]
    with pytest.raises(SourceUnavailable, match=r"timed out.*put the file at .*a\.gz yourself"):
        downloads(tmp_path, timeout=0.1, attempts=1).fetch(f"{odd.address}/a.gz")


def test_a_server_that_sends_a_byte_now_and_then_costs_no_more(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, ["trickle"]
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"not there after 0\.2 s"):
        downloads(tmp_path, seconds=0.2).fetch(f"{odd.address}/a.gz")
    assert time.monotonic() - start < 3
    assert downloads(tmp_path).fetch(f"{odd.address}/a.gz").read_bytes() == CONTENT


def test_an_error_page_is_not_taken_for_the_file(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = b"<html>log in</html>"
    with pytest.raises(SourceUnavailable, match="came as something else, it starts with b'<html>log in"):
        downloads(tmp_path).fetch(f"{odd.address}/a.gz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["", "no-version"])
def test_a_file_that_is_too_big_is_refused(odd: OddServer, tmp_path: Path, how: str) -> None:
    odd.files["/a.gz"], odd.plan = CONTENT, [how]
    with pytest.raises(SourceUnavailable, match=r"more than the 100 bytes that download\.largest allows"):
        downloads(tmp_path, largest=100).fetch(f"{odd.address}/a.gz")


def test_a_pinned_hash_is_proven_each_time(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = CONTENT
    pinned = {"sha256": {"a.gz": sha256(CONTENT).hexdigest()}}
    kept = downloads(tmp_path, **pinned).fetch(f"{odd.address}/a.gz")
    kept.write_bytes(GZIP + b"something else")
    with pytest.raises(SourceUnavailable, match="not used; delete it to fetch it again"):
        downloads(tmp_path, **pinned).fetch(f"{odd.address}/a.gz")


def test_offline_the_place_for_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"a\.gz cannot be fetched .*; 0 bytes are kept.*put the file at"):
        downloads(tmp_path, attempts=2).fetch("http://127.0.0.1:9/a.gz")


def test_what_comes_is_told_as_it_comes(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/a.gz"] = CONTENT
    told: list[tuple[str, int, int | None]] = []
    Downloads(tmp_path, DownloadConfig(), lambda *one: told.append(one)).fetch(f"{odd.address}/a.gz")
    assert told[-1] == ("a.gz", len(CONTENT), len(CONTENT))
