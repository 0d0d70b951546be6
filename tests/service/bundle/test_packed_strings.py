from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import BundleCorrupt, BundleMissing, PackedStrings

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=30)


@given(texts)
def test_strings_come_back_in_order(strings: list[str]) -> None:
    packed = PackedStrings.pack(strings)
    assert list(packed) == strings
    assert [packed[k] for k in range(len(packed))] == strings
    for outside in (-1, len(strings)):
        with pytest.raises(IndexError):
            packed[outside]


@given(texts, texts)
def test_fingerprints_are_equal_exactly_for_equal_strings(one: list[str], other: list[str]) -> None:
    assert (PackedStrings.pack(one).fingerprint == PackedStrings.pack(other).fingerprint) is (one == other)


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3]])
def test_offsets_that_do_not_cut_the_blob_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        PackedStrings(memoryview(b"abc"), np.array(offsets, np.int64))


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    PackedStrings.pack(["ab", "c"]).write(tmp_path, "x")
    assert list(PackedStrings.read(tmp_path, "x")) == ["ab", "c"]
    (tmp_path / "x.bin").write_bytes(b"abcd")
    with pytest.raises(BundleCorrupt, match=r"x\.bin"):
        PackedStrings.read(tmp_path, "x")
    (tmp_path / "x.bin").unlink()
    with pytest.raises(BundleMissing, match=r"x\.bin"):
        PackedStrings.read(tmp_path, "x")
