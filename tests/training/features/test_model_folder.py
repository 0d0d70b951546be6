from pathlib import Path

import pytest

from training.errors import EncoderUnavailable
from training.features.model_folder import folder_fingerprint, named_folder, package_file, require_weights


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(EncoderUnavailable, match="is not there"):
        require_weights(path, "0" * 64)
    path.write_bytes(b"other")
    with pytest.raises(EncoderUnavailable, match="not the published"):
        require_weights(path, "0" * 64)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(EncoderUnavailable, match="the package no_such_package is not installed"):
        package_file("no_such_package", "weights", "0" * 64)


def test_every_file_that_decides_counts_and_so_does_its_use(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = folder_fingerprint(tmp_path, "a")
    assert folder_fingerprint(tmp_path, "b") != before
    (tmp_path / "README.md").write_text("words")
    assert folder_fingerprint(tmp_path, "a") == before
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert folder_fingerprint(tmp_path, "a") != before


def test_a_folder_is_called_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_folder(".")[0] == tmp_path.name
    with pytest.raises(EncoderUnavailable, match="neither a folder here nor a model"):
        named_folder("not a model name")
