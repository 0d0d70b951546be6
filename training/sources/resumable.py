"""Big files over HTTP: a download that breaks off goes on where it stopped, also in the next run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from pydantic import Field

from training.config import Config
from training.errors import SourceUnavailable

GZIP = b"\x1f\x8b"
"""What a gzip file starts with; the page that tells of an error does not."""
_CHUNK = 1 << 16
_TRY_AGAIN = frozenset({408, 425, 429})
"""Besides 500 and above."""
_LONGEST_PAUSE = 60.0

Watch = Callable[[str, int, int | None], None]
"""Told (name of the file, bytes there, bytes in all or None) as a download goes on."""


class DownloadConfig(Config):
    """How long to insist."""

    timeout: float = Field(default=30.0, gt=0)
    """Seconds without a byte, after which an attempt has failed."""
    seconds: float = Field(default=6 * 3600.0, gt=0)
    """For one file, all attempts together."""
    attempts: int = Field(default=4, ge=1)
    """Failures in a row that bring not a byte."""
    pause: float = Field(default=1.0, ge=0)
    """Seconds before the second attempt; twice as long before each further one, a minute at most."""
    largest: int = Field(default=64 << 30, ge=1)
    """Bytes; a file that is bigger is refused."""
    sha256: Mapping[str, str] = Field(default_factory=dict)
    """File name -> hex; a file that stands here must have it. The publishers give none: pin what you measured on."""


class _Interrupted(Exception):
    """An attempt that may be made again."""


@dataclass(frozen=True)
class Downloads:
    """A folder of downloaded files; what lies there is not fetched again."""

    folder: Path
    config: DownloadConfig
    watch: Watch = lambda name, there, total: None

    def fetch(self, address: str, magic: bytes = GZIP) -> Path:
        """The file at an address, under the name that it has there.

        Raises:
            SourceUnavailable: it cannot be had, is too big, starts otherwise than with `magic`, or has another hash
                than the one pinned. What came so far is kept, and the next run goes on from there.
        """
        kept = self.folder / unquote(urlsplit(address).path.rsplit("/", 1)[-1])
        if not kept.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = _Partial(kept)
            self._insist(address, partial)
            partial.require_start(magic, address)
            partial.finish()
        self._require_hash(kept)
        return kept

    def _insist(self, address: str, partial: _Partial) -> None:
        deadline, failures = time.monotonic() + self.config.seconds, 0
        while True:
            before = partial.size
            try:
                return self._attempt(address, partial, deadline)
            except _Interrupted as error:
                reason = str(error)
            failures = 1 if partial.size > before else failures + 1
            if failures >= self.config.attempts or time.monotonic() >= deadline:
                raise SourceUnavailable(
                    f"{address} cannot be fetched ({reason}); {partial.size:,} bytes are kept and the next run goes on "
                    f"from there, or put the file at {partial.kept} yourself"
                )
            time.sleep(min(_LONGEST_PAUSE, self.config.pause * 2 ** (failures - 1)))

    def _attempt(self, address: str, partial: _Partial, deadline: float) -> None:
        """Ask for what is missing and write it down."""
        request = Request(address, headers={"User-Agent": "prm-kd", **partial.asks_for_the_rest()})  # noqa: S310
        try:
            with urlopen(request, timeout=self.config.timeout) as response:  # noqa: S310 - configs allow http(s) alone
                total = partial.begin(response)
                self._copy(response, partial, total, deadline)
        except HTTPError as error:
            with error:
                total = partial.size if partial.is_all(error) else _refused(error, partial, address)
        except (OSError, HTTPException) as error:
            raise _Interrupted(str(error) or type(error).__name__) from error
        if total is not None and partial.size != total:
            raise _Interrupted(f"cut off after {partial.size:,} of {total:,} bytes")

    def _copy(self, response: HTTPResponse, partial: _Partial, total: int | None, deadline: float) -> None:
        self._require_room(partial, total or 0)
        with partial.path.open("ab") as file:
            # read1 gives what is there: read would wait for a whole chunk of a server that sends a byte a second
            while chunk := response.read1(_CHUNK):
                file.write(chunk)
                self._require_room(partial, file.tell())
                self.watch(partial.kept.name, file.tell(), total)
                if time.monotonic() > deadline:
                    raise _Interrupted(f"not there after {self.config.seconds:g} s")

    def _require_room(self, partial: _Partial, size: int) -> None:
        if size > self.config.largest:
            partial.drop()
            raise SourceUnavailable(
                f"{partial.kept.name} has more than the {self.config.largest:,} bytes that download.largest allows"
            )

    def _require_hash(self, kept: Path) -> None:
        wanted = self.config.sha256.get(kept.name)
        if wanted is not None and (found := digest(kept)) != wanted:
            raise SourceUnavailable(f"{kept} has sha256 {found}, not {wanted}: not used; delete it to fetch it again")


def digest(path: Path) -> str:
    """Hex sha256 of a file of any size."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Partial:
    """What is there of a file: `NAME.partial`, and in `NAME.partial.version` which version of it this is."""

    kept: Path

    @property
    def path(self) -> Path:
        return self.kept.with_name(f"{self.kept.name}.partial")

    @property
    def _version(self) -> Path:
        return self.kept.with_name(f"{self.kept.name}.partial.version")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def asks_for_the_rest(self) -> dict[str, str]:
        """Headers; a part whose version is not known is worth nothing (RFC 9110, section 13.1.5)."""
        version = self._version.read_text(encoding="utf-8") if self._version.is_file() else ""
        return {"Range": f"bytes={self.size}-", "If-Range": version} if self.size and version else {}

    def begin(self, response: HTTPResponse) -> int | None:
        """Keep what is there if the answer goes on from it, or else start anew; the size of the whole, if told."""
        version = _version_of(response)
        if response.status != 206:
            self.drop()
            self.path.touch()
            self._version.write_text(version, encoding="utf-8")
            length = response.headers.get("Content-Length")
            return int(length) if length else None
        start, _, whole = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
        known = self._version.read_text(encoding="utf-8") if self._version.is_file() else ""
        if start.partition("-")[0] != str(self.size) or version not in {"", known}:
            self.drop()
            raise _Interrupted(f"the server went on from {start or 'nowhere'} of another version")
        return int(whole) if whole.isdigit() else None

    def is_all(self, error: HTTPError) -> bool:
        """Whether "no such range" means that nothing is missing: the process was killed after the last byte."""
        return error.code == 416 and error.headers.get("Content-Range") == f"bytes */{self.size}"

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def require_start(self, magic: bytes, address: str) -> None:
        with self.path.open("rb") as file:
            start = file.read(40)
        if not start.startswith(magic):
            self.drop()
            raise SourceUnavailable(f"{address} came as something else, it starts with {start!r}: not kept")

    def finish(self) -> None:
        self.path.replace(self.kept)
        self._version.unlink(missing_ok=True)


def _version_of(response: HTTPResponse) -> str:
    """A strong validator, or nothing."""
    etag: str = response.headers.get("ETag") or ""
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified") or ""


def _refused(error: HTTPError, partial: _Partial, address: str) -> int:
    """What an error status means for the next attempt; never returns."""
    if error.code == 416:
        partial.drop()
    if error.code == 416 or error.code >= 500 or error.code in _TRY_AGAIN:
        raise _Interrupted(f"HTTP {error.code} {error.reason}") from error
    raise SourceUnavailable(f"{address} cannot be fetched (HTTP {error.code} {error.reason})") from error
