"""docs/serving.md names every setting with its default, every error and every metric; the example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx

from service.batch_schemas import BatchRequest, BatchResponse
from service.errors import HTTP_ERRORS, INTERNAL, TABLE
from service.filters import Filters
from service.metrics import Metrics
from service.schemas import (
    ReasonGiven,
    RecommendedItem,
    RecommendRequest,
    RecommendResponse,
    SimilarParameters,
    SimilarResponse,
)
from service.settings import Settings
from service.timings import STAGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text()


def test_every_setting_stands_there_with_its_default_and_no_other() -> None:
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{field.default}`"
        assert f"| `REC_{name.upper()}` | {default} |" in PAGE
        assert " ".join((field.description or "?").split()) in PAGE
    known = {f"REC_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"REC_[A-Z0-9_]*[A-Z0-9]", PAGE)) <= known


def test_every_error_stands_there_with_its_status() -> None:
    rows = [(row.status, row.error) for row in (*TABLE.values(), INTERNAL)] + list(HTTP_ERRORS.items())
    for status, error in rows:
        assert f"| {status} | `{error}` |" in PAGE


def test_every_metric_and_stage_stands_there_and_no_other() -> None:
    text = Metrics().registry
    names = {family.name + ("_total" if family.type == "counter" else "") for family in text.collect()}
    assert names == set(re.findall(r"^\| `(rec_[a-z_]+)`", PAGE, re.MULTILINE))
    assert all(f"`{stage}`" in PAGE for stage in STAGES)


def test_every_field_of_a_recommendation_stands_there() -> None:
    asked = (RecommendRequest, Filters, SimilarParameters, BatchRequest)
    answered = (RecommendResponse, RecommendedItem, ReasonGiven, SimilarResponse, BatchResponse)
    for name in (name for model in (*asked, *answered) for name in model.model_fields):
        assert f"`{name}`" in PAGE or f'"{name}"' in PAGE, name


def test_every_operation_stands_there(client: httpx.Client) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path.replace('user_id', 'id').replace('item_id', 'id')}" in PAGE


def test_the_example_runs(client: httpx.Client) -> None:
    command = [sys.executable, "examples/recommend_client.py", str(client.base_url), "example-user"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    before, after = done.stdout.splitlines()
    assert before.startswith("before (popular)")
    assert after.startswith("after  (model)")
