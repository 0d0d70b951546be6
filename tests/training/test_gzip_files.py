import gzip
from pathlib import Path

import pytest

from training.errors import SourceInvalid, SourceUnavailable
from training.gzip_files import either, read_bytes, write_bytes


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.gz", b"content")
    assert read_bytes(tmp_path / "a.gz") == b"content"


def test_equal_content_makes_equal_files(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.gz", b"content")
    write_bytes(tmp_path / "b.gz", b"content")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_the_gzipped_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("plain")
    assert either(tmp_path, "a.csv").name == "a.csv"
    write_bytes(tmp_path / "a.csv.gz", b"packed")
    assert either(tmp_path, "a.csv").name == "a.csv.gz"
    with pytest.raises(SourceUnavailable, match=r"neither b\.csv\.gz nor b\.csv"):
        either(tmp_path, "b.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"user_id,item_id\n", "Not a gzipped file"),
        (gzip.compress(b"content" * 100)[:-9], "cut off"),
        (gzip.compress(b"content" * 100)[:20] + b"\xff" * 20, "cut off or damaged"),
        (b"", "empty"),
        (gzip.compress(b" \n"), "empty"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(SourceInvalid, match=message) as caught:
        read_bytes(tmp_path / "a.gz")
    assert "a.gz" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"nothing\.gz: No such file"):
        read_bytes(tmp_path / "nothing.gz")
