"""The example runs, on a bundle, on a damaged one, and where there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from service.bundle import ModelBundle
from tests.service.versions import reseal

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "tests" / "service" / "data" / "tiny_bundle"


def inspect(*arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "examples/inspect_bundle.py", *arguments], cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_it_tells_every_file_and_who_made_it() -> None:
    done = inspect(BUNDLE)
    assert (done.returncode, done.stderr) == (0, "")
    bundle = ModelBundle.read(BUNDLE)
    assert f"version    {bundle.manifest.model_version}, made " in done.stdout
    assert f"items      {bundle.manifest.catalog.size}\n" in done.stdout
    assert bundle.card(int(bundle.popular[0])).title in done.stdout
    for name, entry in bundle.manifest.files.items():
        (line,) = [line for line in done.stdout.splitlines() if f" {name} " in line]
        assert f"{entry.bytes:,} bytes" in line
        assert entry.sha256.startswith(line.split()[-1])


def test_it_tells_the_offset_where_there_is_one(tmp_path: Path) -> None:
    assert "may come back" not in inspect(BUNDLE).stdout
    copy = shutil.copytree(BUNDLE, tmp_path / "bundle")
    reseal(copy, repeat_offset=-1.25)
    assert "seen       -1.25 on the score of what was seen" in inspect(copy).stdout


def test_a_damaged_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLE, tmp_path / "bundle")
    (copy / "popular.npy").write_bytes(b"?")
    done = inspect(copy)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("refused: ")
    assert "popular.npy" in line


def test_without_a_folder_it_says_how_it_is_used() -> None:
    done = inspect()
    assert done.returncode == 1
    assert "python examples/inspect_bundle.py BUNDLE" in done.stderr
