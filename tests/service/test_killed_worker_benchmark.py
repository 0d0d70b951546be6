"""The benchmark of killed workers, small: it starts a service, kills one worker under load and tells who noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_tells_what_it_saw(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "told.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.killed_worker", str(tiny_bundle), "--out", str(out),
         "--rate", "50", "--kills", "2", "--pause", "0.5"],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert out.exists(), done.stderr
    told = json.loads(out.read_text())
    assert (told["kills"], told["failed_with_the_living"], told["other_statuses"]) == (2, 0, {})
    assert told["requests"] > 50
    assert told["readyz"]["200"] > 2
    slow = told["ms_until_another_answered"]["max"] > 3000
    named = told["answers_that_named_a_dead_worker"] > 0
    assert done.returncode == (1 if slow or named else 0), done.stderr
