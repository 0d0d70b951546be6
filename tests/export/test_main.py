"""The real command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from service.bundle import ModelBundle
from training.dataset import Dataset

ROOT = Path(__file__).parents[2]


def export(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Warnings are errors: none may come from an ordinary export."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "export", *map(str, arguments)], cwd=ROOT, capture_output=True,
        text=True, timeout=120, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_it_says_one_line_and_where_the_bundle_lies(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    moved = shutil.copytree(run, tmp_path / "run")  # its data set is no longer beside it
    done = export(moved, tmp_path / "bundle", "--data", dataset.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    version = ModelBundle.read(tmp_path / "bundle").manifest.model_version
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{version}: 60 items, parity ")
    assert line.endswith(f"over 1,000 histories; it lies in {tmp_path / 'bundle'}")


def test_a_refusal_is_one_line_too(run: Path, tmp_path: Path) -> None:
    done = export(shutil.copytree(run, tmp_path / "run"), tmp_path / "bundle")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("refused: ")
    assert "dataset.json is not there" in line
    assert not (tmp_path / "bundle").exists()
