"""What was seen is kept with what is needed to judge it: when, on what, with which images and versions."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # uvicorn brings it along, without stubs

from benchmarks.containers.compose import Compose
from benchmarks.containers.engine import docker, versions
from benchmarks.containers.stack import Told

MEGABYTE = 1e6
"""As `docker images` has it."""


def write(path: Path, compose: Compose, act: str, told: Told) -> None:
    """Put what an act told into a file; what others told before stays there."""
    before = json.loads(path.read_text(encoding="utf-8"))["acts"] if path.exists() else {}
    now = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.containers", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}",
        "versions": versions() | {"compose": compose.version()},
    }
    stated = {"images": _images(compose), "acts": {**before, act: {**now, **told.seen, "claims": told.claims}}}
    path.write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")


def _images(compose: Compose) -> dict[str, object]:
    """Those of the file that are there: their size, and whether they came from a registry or were made on the spot."""
    services = yaml.safe_load(compose.files[0].read_text())["services"].values()
    names = [one["image"].replace("${REGISTRY:-}", os.environ.get("REGISTRY", "")) for one in services]
    present = set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    return {name: _image(name) for name in names if (name if ":" in name else f"{name}:latest") in present}


def _image(name: str) -> dict[str, object]:
    (told,) = json.loads(docker("image", "inspect", name))
    return {"megabytes": round(told["Size"] / MEGABYTE), "from_a_registry": bool(told["RepoDigests"])}
