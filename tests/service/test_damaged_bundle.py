"""A bundle with one wrong byte anywhere, or one that is whole and wrong, is refused and the file is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import BundleDraft, BundleError, Golden, Manifest, ModelBundle, SelfTestFailed, seal
from service.models.opening import open_model
from service.settings import Settings

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (Path(__file__).parent / "data" / "tiny_bundle").iterdir())


def flip(path: Path, position: int, mask: int) -> None:
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= mask
    path.write_bytes(content)


def names(error: BundleError, file: str) -> bool:
    """A flipped byte of the hash of the manifest is seen as the two not agreeing."""
    return file in str(error)


@pytest.mark.parametrize("file", FILES)
@examples(max_examples=12, deadline=None)
@given(position=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_one_flipped_byte_is_refused(tiny_bundle: Path, file: str, position: int, mask: int) -> None:
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(tiny_bundle, Path(folder) / "bundle"))
        flip(copy / file, position, mask)
        with pytest.raises(BundleError) as caught:
            ModelBundle.read(copy)
    assert names(caught.value, file)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_or_cut_file_is_refused(bundle_copy: Path, file: str) -> None:
    path = bundle_copy / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=file.replace(".", r"\.")):
        ModelBundle.read(bundle_copy)
    path.unlink()
    with pytest.raises(BundleError, match=file.replace(".", r"\.")):
        ModelBundle.read(bundle_copy)


def reseal(folder: Path) -> None:
    """Make the hashes true again, so that only the content can be found wrong."""
    manifest = json.loads((folder / "manifest.json").read_text())
    draft = BundleDraft.model_validate({k: v for k, v in manifest.items() if k not in {"model_version", "files"}})
    seal(folder, draft)


def test_another_schema_is_refused(bundle_copy: Path) -> None:
    manifest = json.loads((bundle_copy / "manifest.json").read_text()) | {"schema_version": 99}
    text = json.dumps(manifest)
    (bundle_copy / "manifest.json").write_text(text)
    (bundle_copy / "manifest.sha256").write_text(sha256(text.encode()).hexdigest() + "\n")
    with pytest.raises(BundleError, match="schema_version is 99"):
        ModelBundle.read(bundle_copy)


@pytest.mark.parametrize(
    ("file", "named"), [("user", "encoder.onnx"), ("scores", "retrieval.onnx"), ("items", "retrieval.onnx")]
)
def test_other_golden_answers_are_refused(bundle_copy: Path, file: str, named: str) -> None:
    golden = Golden.read(bundle_copy / "golden.npz")
    replace(golden, **{file: np.roll(getattr(golden, file), 1, axis=-1)}).write(bundle_copy / "golden.npz")
    reseal(bundle_copy)
    with pytest.raises(SelfTestFailed, match=named):
        open_model(Settings(bundle=bundle_copy))


def test_other_item_vectors_fail_the_self_test(bundle_copy: Path) -> None:
    vectors = np.frombuffer((bundle_copy / "item_vectors.bin").read_bytes(), np.float32).copy()
    vectors[:8] += 0.5
    (bundle_copy / "item_vectors.bin").write_bytes(vectors.tobytes())
    reseal(bundle_copy)
    with pytest.raises(SelfTestFailed, match=r"retrieval\.onnx"):
        open_model(Settings(bundle=bundle_copy))


def test_a_graph_that_is_none_is_refused(bundle_copy: Path) -> None:
    (bundle_copy / "encoder.onnx").write_bytes(b"no graph")
    reseal(bundle_copy)
    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        open_model(Settings(bundle=bundle_copy))


@pytest.mark.parametrize("file", ["popular.npy", "golden.npz", "item_ids.offsets.npy"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00 no array"])
def test_a_table_that_is_none_is_refused(bundle_copy: Path, file: str, content: bytes) -> None:
    (bundle_copy / file).write_bytes(content)
    reseal(bundle_copy)
    with pytest.raises(BundleError, match=file.replace(".", r"\.")):
        ModelBundle.read(bundle_copy)


def test_golden_answers_that_are_no_tables_are_refused(bundle_copy: Path) -> None:
    golden = Golden.read(bundle_copy / "golden.npz")
    replace(golden, history=golden.history[0]).write(bundle_copy / "golden.npz")
    reseal(bundle_copy)
    with pytest.raises(BundleError, match=r"golden\.npz"):
        ModelBundle.read(bundle_copy)


def test_equal_files_seal_to_equal_versions(bundle_copy: Path, tiny_bundle: Path) -> None:
    reseal(bundle_copy)
    stored = Manifest.model_validate_json((tiny_bundle / "manifest.json").read_text())
    assert Manifest.model_validate_json((bundle_copy / "manifest.json").read_text()) == stored


@pytest.mark.parametrize(
    ("command", "file"), [("serve", "item_vectors.bin"), ("check", "golden.npz"), ("serve", "manifest.json")]
)
def test_the_command_refuses_in_one_line(bundle_copy: Path, command: str, file: str) -> None:
    flip(bundle_copy / file, 99, 1)
    done = subprocess.run(
        [sys.executable, "-m", "service", command, str(bundle_copy)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")
    assert file in done.stderr
    assert len(done.stderr.splitlines()) == 1
