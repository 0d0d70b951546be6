"""Pictures in a bundle: what was written comes back, and what is no WebP file is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.bundle import BundleCorrupt, BundleDraft, BundleError, BundleMissing, ItemImages, ModelBundle, seal
from service.bundle.item_images import IMAGE_FILES


def webp(content: bytes) -> bytes:
    """What has the head of a WebP file."""
    return b"RIFF" + (len(content) + 4).to_bytes(4, "little") + b"WEBP" + content


pictures = st.binary(max_size=20).map(webp)
some = st.lists(st.just(b"") | pictures, min_size=1, max_size=30).filter(any)


def packed(*images: bytes) -> ItemImages:
    offsets = np.cumsum([0, *map(len, images)]).astype(np.int64)
    return ItemImages(memoryview(b"".join(images)), offsets)


def resealed(folder: Path) -> Path:
    """Make the hashes true again, so that only the content can be found wrong."""
    manifest = ModelBundle.read(folder.parent / "whole").manifest
    seal(folder, BundleDraft.model_validate(manifest.model_dump(exclude={"model_version", "files"})))
    return folder


@pytest.fixture
def copy(pictured_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    shutil.copytree(pictured_bundle, tmp_path / "whole")
    return Path(shutil.copytree(pictured_bundle, tmp_path / "bundle"))


@given(some)
@examples(deadline=None)
def test_pictures_come_back_at_their_places(tmp_path_factory: pytest.TempPathFactory, images: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("images")
    assert ItemImages.write(folder, images) == sum(map(bool, images))
    read = ItemImages.read(folder)
    assert len(read) == len(images)
    assert [read.of(index) or b"" for index in range(1, len(images) + 1)] == images
    assert [read.has(index) for index in range(1, len(images) + 1)] == [bool(image) for image in images]


def test_without_any_picture_there_is_no_file(tmp_path: Path) -> None:
    assert ItemImages.write(tmp_path, [b"", b""]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "strange",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html><script>1</script></html>", b"\x89PNG\r\n\x1a\n",
        b"RIFF", webp(b"abc")[:-1], webp(b"abc") + b"<script>", b"RIFF\x04\x00\x00\x00WAVE", b"x",
    ],
)  # fmt: skip
def test_what_is_no_whole_webp_file_is_refused_and_its_item_named(strange: bytes) -> None:
    with pytest.raises(ValueError, match="item 3 of the catalogue is no WebP"):
        packed(webp(b"abc"), b"", strange)
    with pytest.raises(ValueError, match="item 1 of the catalogue is no WebP"):
        packed(strange, webp(b"a"))


def test_offsets_that_are_none_are_refused() -> None:
    blob = memoryview(webp(b""))
    for offsets in (np.array([0, 11]), np.array([0.0, 12.0]), np.array([[0, 12]]), np.array([0, 12, 6, 12])):
        with pytest.raises(ValueError, match="offsets"):
            ItemImages(blob, offsets)
    with pytest.raises(ValueError, match="no item has a picture"):
        ItemImages(memoryview(b""), np.array([0, 0]))


def test_a_bundle_has_them_or_none(pictured_bundle: Path, bundle: ModelBundle) -> None:
    pictured = ModelBundle.read(pictured_bundle)
    assert bundle.images is None
    assert pictured.images is not None
    assert [pictured.images.has(index) for index in range(1, 61)] == [index % 5 != 0 for index in range(1, 61)]
    assert pictured.manifest.model_version != bundle.manifest.model_version


@pytest.mark.parametrize("file", IMAGE_FILES)
def test_a_flipped_byte_a_missing_and_a_lone_file_are_refused(copy: Path, file: str) -> None:
    content = bytearray((copy / file).read_bytes())
    content[99] ^= 1
    (copy / file).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=file.replace(".", r"\.")):
        ModelBundle.read(copy)
    (copy / file).unlink()
    with pytest.raises(BundleMissing, match=file.replace(".", r"\.")):
        ModelBundle.read(copy)
    with pytest.raises(BundleMissing, match=file.replace(".", r"\.")):
        resealed(copy)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([b"<svg/>"] * 60, r"item_images\.bin .* item 1 of the catalogue is no WebP"),
        ([webp(b"")] * 59, r"item_images\.offsets\.npy: its number of items"),
    ],
)
def test_whole_files_of_something_else_are_refused(copy: Path, images: list[bytes], said: str) -> None:
    ItemImages.write(copy, images)
    with pytest.raises(BundleError, match=said):
        ModelBundle.read(resealed(copy))


@pytest.mark.parametrize("content", [b"", b"no pictures"])
def test_a_file_that_does_not_fit_its_offsets_is_refused(copy: Path, content: bytes) -> None:
    (copy / IMAGE_FILES[0]).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=r"item_images\.bin and item_images\.offsets\.npy do not belong together"):
        ModelBundle.read(resealed(copy))
