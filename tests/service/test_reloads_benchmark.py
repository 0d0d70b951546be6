"""The benchmark of reloads, small: it starts a service, reloads under load and judges every answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.service.versions import write_version

ROOT = Path(__file__).parents[2]


def test_it_tells_what_it_saw_and_finds_nothing_wrong(tiny_bundle: Path, tmp_path: Path) -> None:
    for number in range(2):
        write_version(tiny_bundle, tmp_path / "models" / f"b{number}", number)
    options = [
        "--rate",
        "20",
        "--reloads",
        "10",
        "--pause",
        "0.1",
        "--quiet",
        "1",
        "--out",
        str(tmp_path / "told.json"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reloads", str(tmp_path / "models"), *options],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["activations"], told["rollbacks"], told["failed"]) == (9, 1, 0)
    assert told["requests"] > 10
    assert told["items"] == [60, 60]
