"""Pictures of a data set become pictures of the bundle: small, of pixels alone, and nothing is lost in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from export.pictures import MAX_SIDE, Pictures, pack_pictures, thumbnail
from export.publish import publish
from service.bundle import ItemImages, ModelBundle
from training.dataset import Dataset
from training.features.pictures import open_picture
from training.items import read_items, write_items
from training.prepare import PrepareConfig, prepare

ROOT = Path(__file__).parents[2]
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def draw(path: Path, size: tuple[int, int], colour: str) -> None:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((0, 0, size[0], size[1] // 2), fill=colour)
    exif = Image.Exif()
    exif[0x010E] = "taken at home"  # ImageDescription
    image.info["comment"] = b"secret"  # JPEG has a place for it
    image.save(path, exif=exif)


@pytest.fixture(scope="module")
def shop(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one's own: the data of the student, with pictures of some items, and files that are none."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "images").mkdir()
    shutil.copy(dataset.folder / "interactions.csv.gz", folder)
    names = ["tall.jpg", "wide.png", "small.webp", "turned.jpg", "drawing.svg", "page.jpg", "cut.png", "gone.png"]
    draw(folder / "images/tall.jpg", (400, 600), "red")
    draw(folder / "images/wide.png", (600, 400), "green")
    draw(folder / "images/small.webp", (20, 30), "blue")
    draw(folder / "images/turned.jpg", (600, 400), "red")
    turned = Image.Exif()
    turned[0x0112] = 6  # Orientation: the camera lay on its side
    with Image.open(folder / "images/turned.jpg") as image:
        image.save(folder / "images/turned.jpg", exif=turned)
    (folder / "images/drawing.svg").write_bytes(SVG)
    (folder / "images/page.jpg").write_bytes(b"<html><script>alert(1)</script></html>")
    (folder / "images/cut.png").write_bytes((folder / "images/wide.png").read_bytes()[:200])
    items = [
        item.model_copy(update={"image": f"images/{names[k]}" if k < len(names) else None})
        for k, item in enumerate(read_items(dataset.folder / "items.jsonl.gz"))
    ]
    write_items(folder / "items.jsonl.gz", items)
    return folder


def prepared(shop: Path, out: Path, encoder: str) -> Dataset:
    """With `none` nobody has looked into the files before the export does."""
    config = PrepareConfig(
        source="local", path=shop, encoder="hashed-words", image_encoder=encoder, cache=out.parent / "cache"
    )
    return prepare(config, out)


@pytest.fixture(scope="module")
def unseen(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepared(shop, tmp_path_factory.mktemp("unseen") / "data", "none")


@pytest.fixture(scope="module")
def packed(unseen: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pictures]:
    folder = tmp_path_factory.mktemp("packed")
    return folder, pack_pictures(unseen, folder)


def opened(images: ItemImages, index: int) -> Image.Image:
    return Image.open(BytesIO(images.of(index) or b""), formats=["WEBP"])


def test_they_are_small_webp_files_of_the_right_items(packed: tuple[Path, Pictures]) -> None:
    images = ItemImages.read(packed[0])
    sizes = {1: (107, 160), 2: (160, 107), 3: (20, 30), 4: (107, 160)}  # never larger than they were, and upright
    assert [index for index in range(1, 61) if images.has(index)] == list(sizes)
    for index, size in sizes.items():
        assert opened(images, index).size == size
    for index, channel in ((1, 0), (2, 1), (3, 2)):  # red, green, blue
        colour = np.asarray(opened(images, index).convert("RGB"))[2, 10]
        assert int(colour.argmax()) == channel


def test_what_else_a_file_carries_stays_behind(packed: tuple[Path, Pictures], unseen: Dataset) -> None:
    every = (packed[0] / "item_images.bin").read_bytes()
    for carried in (b"taken at home", b"secret", b"EXIF", b"XMP ", b"ICCP", b"<script>"):
        assert carried not in every
    original = (unseen.folder / "images/tall.jpg").read_bytes()
    assert b"taken at home" in original  # so the test would see it


def test_a_broken_one_is_named_with_its_item_and_takes_nothing_else_along(
    packed: tuple[Path, Pictures], unseen: Dataset
) -> None:
    found = packed[1]
    assert found.packed == 4
    broken = {4: "drawing.svg", 5: "page.jpg", 6: "cut.png"}  # gone.png was never there: `prepare` has said so
    assert len(found.unreadable) == len(broken)
    for said, (row, file) in zip(found.unreadable, broken.items(), strict=True):
        assert said.startswith(f"{unseen.items[row].item_id!r} ({unseen.folder / 'images' / file}: ")
    remark = found.remark() or ""
    assert remark.startswith("3 items have a picture that cannot be read and go without: ")
    assert all(one in remark for one in found.unreadable)


def test_of_many_broken_ones_some_are_named() -> None:
    assert Pictures(3).remark() is None
    said = Pictures(0, tuple(f"item {k}" for k in range(1000))).remark() or ""
    assert said.startswith("1,000 items have")
    assert said.endswith("item 4, ..")


def test_equal_pictures_make_equal_files(packed: tuple[Path, Pictures], unseen: Dataset, tmp_path: Path) -> None:
    pack_pictures(unseen, tmp_path)
    for name in ("item_images.bin", "item_images.offsets.npy"):
        assert (tmp_path / name).read_bytes() == (packed[0] / name).read_bytes()


def test_a_thumbnail_is_no_larger_than_asked_whatever_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 3)).save(tmp_path / "line.png")
    assert Image.open(BytesIO(thumbnail(open_picture(tmp_path / "line.png")))).size == (MAX_SIDE, 1)


def export(*arguments: Path | str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "export", *map(str, arguments)], cwd=ROOT, capture_output=True,
        text=True, timeout=120, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return done.stderr


def test_the_command_takes_them_along_or_not_and_tells(run: Path, unseen: Dataset, tmp_path: Path) -> None:
    """The student was trained before its items had pictures: they are no part of the fingerprint."""
    remark, line = export(run, tmp_path / "with", "--data", unseen.folder).splitlines()
    assert remark.startswith("pictures: 3 items have a picture that cannot be read")
    assert ": 60 items (4 with a picture), parity " in line
    (line,) = export(run, tmp_path / "without", "--data", unseen.folder, "--no-pictures").splitlines()
    assert ": 60 items, parity " in line
    full, bare = ModelBundle.read(tmp_path / "with"), ModelBundle.read(tmp_path / "without")
    assert full.images is not None
    assert bare.images is None
    assert set(full.manifest.files) - set(bare.manifest.files) == {"item_images.bin", "item_images.offsets.npy"}


def test_where_the_source_has_gone_the_prepared_data_still_have_them(run: Path, shop: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(shop, tmp_path / "shop"))
    dataset = prepared(source, tmp_path / "data", "mean-colours")
    assert len(dataset.manifest.report) >= 2
    shutil.rmtree(source)
    moved = tmp_path / "moved"
    dataset.folder.rename(moved)
    published = publish(run, moved, tmp_path / "bundle")
    assert published.pictures == Pictures(4)  # those that are none were named, and dropped, by `prepare`
