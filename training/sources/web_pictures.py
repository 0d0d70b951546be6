"""Pictures by their address: bounded in number, size and time, proven to be pictures, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from pydantic import Field

from training.config import Config
from training.features.pictures import PictureUnreadable, open_picture


class PicturesConfig(Config):
    """What pictures may cost."""

    largest: int = Field(default=5_000_000, ge=1)
    """Bytes of one picture."""
    timeout: float = Field(default=10.0, gt=0)
    """Seconds for one picture."""
    seconds: float = Field(default=1800.0, gt=0)
    """For all pictures of a run; the next run goes on."""
    at_once: int = Field(default=8, ge=1, le=32)


class _Failed(Exception):
    """A picture that is not to be had; the message says why."""


@dataclass(frozen=True)
class FetchedPictures:
    """What became of the addresses."""

    names: Mapping[str, str]
    """Item id -> file in the folder"""
    failed: Mapping[str, str]
    """Item id -> why there is none"""


def fetch_pictures(
    addresses: Mapping[str, str], folder: Path, config: PicturesConfig, advance: Callable[[int], None]
) -> FetchedPictures:
    """Fetch what is not in the folder yet.

    Args:
        addresses: item id -> address; the first ones are fetched first.
        folder: files are named by the sha256 of their address.
        config: the bounds.
        advance: called with 1 for each picture that is dealt with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + config.seconds

    def one(address: str) -> tuple[str, str]:
        """(file name, why there is none); one of them is empty."""
        name = sha256(address.encode()).hexdigest() + ".img"
        try:
            if not (folder / name).is_file():
                _keep(_content(address, config, deadline), folder / name)
        except (_Failed, OSError, ValueError, HTTPException) as error:
            return "", str(error) or type(error).__name__
        finally:
            advance(1)
        return name, ""

    with ThreadPoolExecutor(config.at_once) as pool:
        found = dict(zip(addresses, pool.map(one, addresses.values()), strict=True))
    return FetchedPictures(
        {item: name for item, (name, _) in found.items() if name},
        {item: why for item, (name, why) in found.items() if not name},
    )


def _content(address: str, config: PicturesConfig, deadline: float) -> bytes:
    if not address.lower().startswith(("http://", "https://")):
        raise _Failed(f"{address[:80]!r} is no http address")
    until = min(deadline, time.monotonic() + config.timeout)
    if time.monotonic() >= until:
        raise _Failed(f"the {config.seconds:g} s for pictures were over")
    request, content = Request(address, headers={"User-Agent": "prm-kd"}), bytearray()  # noqa: S310 - checked above
    with urlopen(request, timeout=config.timeout) as response:  # noqa: S310
        while chunk := response.read1(1 << 16):
            content += chunk
            if len(content) > config.largest:
                raise _Failed(f"more than {config.largest:,} bytes")
            if time.monotonic() > until:
                raise _Failed("too slow")
        if int(response.headers.get("Content-Length") or len(content)) != len(content):
            raise _Failed("cut off")
    return bytes(content)


def _keep(content: bytes, path: Path) -> None:
    """Only what can be decoded gets the name."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    try:
        open_picture(partial)
    except PictureUnreadable as error:
        partial.unlink()
        raise _Failed(str(error)) from error
    partial.replace(path)
