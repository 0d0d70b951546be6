import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.features.item_features import EncoderInfo
from training.features.mean_colours import MeanColours
from training.features.pictures import PictureUnreadable, encode_pictures, open_picture
from training.features.store import PICTURES, VectorStore

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def plain(folder: Path, number: int) -> Path:
    return saved(folder / f"{number}.png", Image.new("RGB", (4, 4), (number % 256, number // 256, 7)))


def quiet(_: int) -> None:
    """Nobody watches."""


@dataclass
class Counting:
    """An encoder that counts what it saw, and can be interrupted."""

    stop_after: int = 10**9
    seen: list[Image.Image] = field(default_factory=list)

    @property
    def info(self) -> EncoderInfo:
        return MeanColours(2).info

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        if len(self.seen) + len(images) > self.stop_after:
            raise KeyboardInterrupt
        self.seen.extend(images)
        return MeanColours(2).encode(images)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    half = Image.new("RGBA", (2, 1), (*RED, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    palette = half.quantize(4)
    for number, image in enumerate((half, palette, half.convert("LA"))):
        seen = open_picture(saved(tmp_path / f"{number}.png", image))
        assert (seen.mode, seen.getpixel((1, 0))) == ("RGB", WHITE), image.mode
    assert open_picture(tmp_path / "0.png").getpixel((0, 0)) == RED


def test_a_picture_lies_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), WHITE)
    image.paste(RED, (0, 0, 20, 20))  # red on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned 90 degrees clockwise
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = open_picture(tmp_path / "turned.jpg")
    assert upright.size == (20, 40)
    top, bottom = (np.array(upright.getpixel((10, y))) for y in (4, 36))
    assert np.abs(top - RED).max() < 30
    assert np.abs(bottom - WHITE).max() < 30


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "RGB"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(np.full((3, 3), 128 << 8, np.uint16)) if mode == "I;16" else Image.new(mode, (3, 3))
    seen = open_picture(saved(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), image))
    assert seen.mode == "RGB"
    if mode == "I;16":
        assert seen.getpixel((1, 1)) == (128, 128, 128)


def test_a_big_picture_is_made_smaller_in_its_shape(tmp_path: Path) -> None:
    assert open_picture(saved(tmp_path / "big.png", Image.new("RGB", (4096, 1024)))).size == (1024, 256)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a huge picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no picture of a known format"),
        (b"<html>404</html>", "no picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a known format"),
        (bomb(8_000, 8_000), "8000 x 8000 pixels"),
        (bomb(10_000, 10_000), "10000 x 10000 pixels"),
        (bomb(20_000, 20_000), "400000000 pixels"),
        (bomb(100, 100), "truncated|incomplete|broken|unrecognized"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureUnreadable, match=message):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "bmp"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / f"a.{ending}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(PictureUnreadable):
        open_picture(path)


def test_items_without_a_readable_picture_are_marked_and_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    good = plain(tmp_path, 1)
    encoder = Counting()
    found = encode_pictures([None, good, tmp_path / "page.jpg", good], encoder, VectorStore(tmp_path / "kept"), quiet)
    assert found.unreadable == {2: "no picture of a known format"}
    assert found.features is not None
    assert found.features.present.tolist() == [False, False, True, False, True]
    assert np.array_equal(found.features.values[[2, 4]], MeanColours(2).encode([open_picture(good)] * 2))
    assert len(encoder.seen) == 1  # the same content once


def test_no_picture_at_all_makes_no_features(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    store = VectorStore(tmp_path / "kept")
    assert encode_pictures([None, None], Counting(), store, quiet).features is None
    found = encode_pictures([None, tmp_path / "page.jpg"], Counting(), store, quiet)
    assert (found.features, len(found.unreadable)) == (None, 1)
    assert not list((tmp_path / "kept").rglob("*"))


def test_content_counts_and_not_the_name_of_the_file(tmp_path: Path) -> None:
    store, first = VectorStore(tmp_path / "kept"), plain(tmp_path, 1)
    before = encode_pictures([first], Counting(), store, quiet)
    moved = first.rename(tmp_path / "moved.png")
    again = encode_pictures([moved], Counting(stop_after=0), store, quiet)
    assert before.features is not None
    assert again.features is not None
    assert np.array_equal(before.features.values, again.features.values)


def test_an_interrupted_run_goes_on_and_progress_counts_every_picture(tmp_path: Path) -> None:
    paths = [plain(tmp_path, number) for number in range(PICTURES + 5)]
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    files: list[Path | None] = [*paths, None, tmp_path / "page.jpg", paths[0]]
    store = VectorStore(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        encode_pictures(files, Counting(stop_after=PICTURES), store, quiet)
    encoder, steps = Counting(), list[int]()
    encode_pictures(files, encoder, store, steps.append)
    assert (len(encoder.seen), sum(steps)) == (5, PICTURES + 7)
