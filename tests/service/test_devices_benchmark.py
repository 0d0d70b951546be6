"""The benchmark of devices, small: every run is timed on every device that is there, and lists are compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.devices import agreement
from service.devices import missing_for_cuda
from service.models.opening import Model
from service.recommender import Query
from service.timings import Timings

ROOT = Path(__file__).parents[2]
RUNS = ["encode 1", "encode 32", "retrieve 1", "recommend 1", "recommend 32"]


def test_it_times_every_device_that_is_there(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "60")
    options = ["--items", "60", "--seconds", "0.05", "--bundles", str(tmp_path), "--out", str(tmp_path / "told.json")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.devices", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    found, missing = told["items"]["60"], missing_for_cuda()
    assert told["machine"]["missing_for_cuda"] == missing
    devices = ["cpu"] if missing else ["cpu", "cuda"]
    assert [name for name in ("cpu", "cuda") if name in found] == devices
    for device in devices:
        assert list(found[device]) == RUNS
        assert all(0 < run["median"] <= run["p99"] and run["runs"] >= 10 for run in found[device].values())
    if missing:
        assert f"only the processor: {missing}" in done.stdout
    else:
        assert found["same"]["overlap"] == 1


def test_what_differs_is_told(model: Model) -> None:
    query = Query([model.bundle.catalog.item_id(1)], n=4)
    one = model.recommender.recommend(query, Timings())
    first, second, *rest = one.item_ids
    swapped = replace(one, item_ids=(second, first, *rest))
    other = replace(one, item_ids=("new", second, *rest), scores=(one.scores[0] + 0.5, *one.scores[1:]))
    same = agreement([one, one], [one, one])
    assert same == {"overlap": 1, "equal_lists": 1, "largest_score_difference": 0}
    assert agreement([one], [swapped]) == same | {"equal_lists": 0}
    told = agreement([one, one], [one, other])
    assert (told["overlap"], told["equal_lists"]) == (0.875, 0.5)
    assert told["largest_score_difference"] == pytest.approx(0.5)
