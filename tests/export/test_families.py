"""Every student family: taught, exported, proven equal, served over HTTP from its own bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from export.publish import publish
from service.app import create_app
from service.embedded_redis import embedded_redis
from service.settings import Settings
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.evaluation.scoring import scorer_of
from training.fitting import FitConfig
from training.sequences import evaluation_sequences
from training.students.registry import STUDENTS

FIT = FitConfig(epochs=2, learning_rate=1e-2, rows_per_batch=256, device="cpu")


@pytest.fixture(scope="module", params=sorted(STUDENTS))
def family(request: pytest.FixtureRequest) -> str:
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture(scope="module")
def taught(family: str, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By popularity, which needs no teachers' cache."""
    out = tmp_path_factory.mktemp(family) / "run"
    distill(Assignment(family, "C5", None), dataset, DistillConfig(fit=FIT), out)
    return out


@pytest.fixture(scope="module")
def served(family: str, taught: Path, dataset: Dataset) -> Path:
    bundle = taught.parent / "bundle"
    manifest = publish(taught, dataset.folder, bundle).manifest
    assert manifest.parity.max_abs_diff <= 1e-4
    assert (manifest.reranker is not None) == (family == "deepfm")
    assert manifest.reranker is None or manifest.reranker.max_abs_diff <= 1e-4
    return bundle


def test_http_answers_are_the_students_own(family: str, taught: Path, served: Path, dataset: Dataset) -> None:
    student, record = load_student(taught, dataset)
    assert record.name == family
    rows = evaluation_sequences(dataset.interactions, dataset.split.test, student.max_history)
    history = rows.history[:3]  # [3, L]
    scores = scorer_of(student).scores(dataset.interactions, rows.row[:3])  # [3, N+1]
    ids = list(dataset.catalog)
    with embedded_redis(32) as url, TestClient(create_app(Settings(bundle=served, redis_url=url))) as client:
        for line in range(3):
            met = [int(one) for one in history[line] if one]
            scores[line, [0, *met]] = -np.inf  # the service leaves out what the user has met
            wanted = {ids[one - 1] for one in np.argsort(-scores[line])[:5]}
            answer = client.post("/recommend", json={"history": [ids[one - 1] for one in met], "n": 5})
            assert answer.status_code == 200, answer.text
            assert {one["item_id"] for one in answer.json()["items"]} == wanted
