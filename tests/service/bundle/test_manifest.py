from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.bundle import Manifest, ModelBundle


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"unheard": 1}, "unheard"),
        ({"catalog": {"size": 0, "fingerprint": "0" * 64}}, "size"),
        ({"catalog": {"size": 1, "fingerprint": "g" * 64}}, "fingerprint"),
        ({"model_version": ""}, "model_version"),
        ({"reranker": {"recall": 1.0, "max_abs_diff": 0.0, "candidates": 0}}, "candidates"),
        ({"reranker": {"recall": 1.0, "max_abs_diff": 0.0, "inputs": ["candidates", "history"]}}, "inputs"),
    ],
)
def test_what_cannot_be_is_refused(bundle: ModelBundle, change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Manifest.model_validate(bundle.manifest.model_dump() | change)


def test_it_comes_back_from_its_json_and_names_every_file(bundle: ModelBundle, tiny_bundle: Path) -> None:
    manifest = bundle.manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert set(manifest.files) == {p.name for p in tiny_bundle.iterdir()} - {"manifest.json", "manifest.sha256"}
