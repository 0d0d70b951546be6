"""The service under observation: two workers, two sound versions of a bundle, one damaged."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from service.bundle import BundleDraft, ModelBundle, seal
from service.bundle.files import ENCODER, POPULAR
from service.keys import hash_of

ADMIN_KEY = "the-admin-key-of-this-run"
PATIENCE_SECONDS = 180


@dataclass(frozen=True)
class Served:
    """Where it listens, and what it can be asked to answer with."""

    port: int
    version: str
    other: str
    damaged: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def versions_of(bundle: Path, models: Path) -> tuple[str, str, str]:
    """Copies of a bundle under `models`: as it is, with another list of what is popular, and with a byte too many."""
    first = _copy(bundle, models / "first", shift=0)
    other = _copy(bundle, models / "other", shift=1)
    damaged = _copy(bundle, models / "damaged", shift=2)
    with (models / "damaged" / ENCODER).open("ab") as file:
        file.write(b"\0")
    return first, other, damaged


def _copy(bundle: Path, folder: Path, shift: int) -> str:
    shutil.copytree(bundle, folder)
    read = ModelBundle.read(bundle)
    np.save(folder / POPULAR, np.roll(read.popular, shift))
    draft = read.manifest.model_dump(exclude={"model_version", "files"})
    return seal(folder, BundleDraft.model_validate(draft)).model_version


@contextmanager
def serving(models: Path, redis_url: str, versions: tuple[str, str, str]) -> Iterator[Served]:
    """Serve for as long as the `with` lasts; a fifth of the users get the second version. Few permits, so that a
    crowd can be refused."""
    served = Served(free_port(), *versions)
    (models / "active.json").write_text(f'{{"active": "{served.version}"}}')
    environment = {
        "REC_REDIS_URL": redis_url,
        "REC_REDIS_TIMEOUT_MS": "200",
        "REC_ADMIN_KEY_SHA256": hash_of(ADMIN_KEY),
        "REC_VARIANTS": f"control=active:80,new={served.other}:20",
        "REC_PERMITS": "8",
        "REC_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "service", "serve", str(models), "--workers", "2", "--port", str(served.port)]
    process = subprocess.Popen(command, env=os.environ | environment)  # noqa: S603 our own
    with stopped(process), httpx.Client(timeout=10) as client:
        wait_for(client, f"{served.url}/readyz")
        yield served


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process with the `with`."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_for(client: httpx.Client, url: str) -> None:
    """Until it answers with a 200.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{url} is not ready after {PATIENCE_SECONDS} s")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
