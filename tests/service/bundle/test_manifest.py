import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.bundle import Manifest, ModelBundle
from service.bundle.files import MANIFEST
from tests.service.versions import reseal


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"unheard": 1}, "unheard"),
        ({"catalog": {"size": 0, "fingerprint": "0" * 64}}, "size"),
        ({"catalog": {"size": 1, "fingerprint": "g" * 64}}, "fingerprint"),
        ({"model_version": ""}, "model_version"),
        ({"repeat_offset": float("nan")}, "repeat_offset"),
        ({"repeat_offset": float("-inf")}, "repeat_offset"),
        ({"repeat_offset": 1e39}, "repeat_offset"),  # finite, but not as a float32
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


def test_a_bundle_from_before_there_was_an_offset_is_read_and_stays_what_it_is(
    bundle: ModelBundle, bundle_copy: Path
) -> None:
    """The stored bundle is such a one: sealed anew, neither its version nor a word of it is another."""
    before = (bundle_copy / MANIFEST).read_text()
    assert "repeat_offset" not in before
    assert bundle.manifest.repeat_offset is None
    assert reseal(bundle_copy) == bundle.manifest.model_version
    assert json.loads((bundle_copy / MANIFEST).read_text()) == json.loads(before)


def test_the_offset_is_kept_to_the_digit_and_another_one_is_another_version(bundle_copy: Path) -> None:
    versions = {offset: reseal(bundle_copy, repeat_offset=offset) for offset in (None, 0.0, -0.1, -2.3456789012345678)}
    assert len({*versions.values()}) == 4
    assert ModelBundle.read(bundle_copy).manifest.repeat_offset == -2.3456789012345678
    assert reseal(bundle_copy, repeat_offset=-0.1) == versions[-0.1]
