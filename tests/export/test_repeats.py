"""What the service answers where what was seen may come back is what was measured offline with an offset."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.bundle import ModelBundle
from service.embedded_redis import embedded_redis
from service.settings import Settings
from training.dataset import Dataset
from training.evaluation.metrics import Ranks, gains, summary
from training.evaluation.ranking import ranks_by_protocol
from training.evaluation.repeat_offset import repeat_aware_ranks
from training.evaluation.scoring import scorer_of
from training.two_tower import TwoTower

AT = 10
ROOT = Path(__file__).parents[2]


def served_ranks(client: TestClient, dataset: Dataset) -> Ranks:
    """Where each test user's target stands in the list that follows on all that the user did before; else infinity."""
    interactions, ids = dataset.interactions, list(dataset.catalog)
    found = np.full(len(dataset.split.test), np.inf)  # [E]
    for at, row in enumerate(dataset.split.test.row):
        before = interactions.item[interactions.offsets[interactions.user[row]] : row].tolist()
        asked = {"history": [ids[item - 1] for item in before], "n": AT, "exclude_seen": False}
        answer = client.post("/recommend", json=asked)
        assert answer.status_code == 200, answer.text
        for item in answer.json()["items"]:
            if item["item_id"] == ids[interactions.item[row] - 1]:
                found[at] = item["rank"]
    return found


def test_over_http_the_targets_of_the_test_users_have_their_offline_ranks(
    bundle_folder: Path, bundle: ModelBundle, dataset: Dataset, student: TwoTower
) -> None:
    scorer, offset = scorer_of(student), bundle.manifest.repeat_offset
    assert offset
    offline = repeat_aware_ranks(scorer, dataset.interactions, dataset.split.test, offset)
    with embedded_redis(32) as url, TestClient(create_app(Settings(bundle=bundle_folder, redis_url=url))) as client:
        served = served_ranks(client, dataset)
    assert gains(served, AT).tolist() == gains(offline, AT).tolist()
    assert summary(served)["ndcg@10"] == pytest.approx(bundle.manifest.offline_metrics["repeat_aware"]["ndcg@10"])
    still = ranks_by_protocol(scorer, dataset.interactions, dataset.split.test)["unmasked"]
    assert gains(served, AT).tolist() != gains(still, AT).tolist()


def test_the_benchmark_tells_the_same_with_and_without_the_offset(run: Path, dataset: Dataset, tmp_path: Path) -> None:
    arguments = [str(run), f"--data={dataset.folder}", "--users=30", f"--out={tmp_path / 'told.json'}"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.repeats", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["users"] == 30
    assert {name: told["served"][name]["ndcg@10"] for name in ("with", "without")} == pytest.approx(told["offline"])
    assert told["served"]["without"]["to_without"] == 1
