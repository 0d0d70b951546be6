"""Files that should be pictures: decoded one by one, and those that are none are named and left out."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from training.features.encoder import ImageEncoder
from training.features.item_features import ItemFeatures
from training.features.store import PICTURES, Vectors, VectorStore, at_rows

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Others are not tried: a decoder that runs programs (PostScript) must not meet files of strangers."""
MAX_PIXELS = 50_000_000
"""A small file can unpack to gigabytes; product photos stay far below this."""
_KEPT_SIDE = 1024
"""No encoder looks at more, and a batch of whole camera pictures would fill the memory."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow's decoders raise on rotten files."""


class PictureUnreadable(Exception):
    """A file that is no picture, a damaged one, or one too big to unpack."""


@dataclass(frozen=True, eq=False)
class PictureFeatures:
    """What an encoder saw of a catalogue."""

    features: ItemFeatures | None
    """None where no item has a picture that can be read."""
    unreadable: Mapping[int, str]
    """Position of the item, from 0 -> why its file is no picture."""


def open_picture(path: Path) -> Image.Image:
    """The picture as RGB, upright, on white where it is transparent; its longer side is 1,024 pixels at most.

    Raises:
        PictureUnreadable: the message says why.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            _require_size(image)
            image.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
            return _on_white(ImageOps.exif_transpose(_eight_bit(image)))
    except _BROKEN as error:
        reason = "no picture of a known format" if isinstance(error, UnidentifiedImageError) else str(error)
        raise PictureUnreadable(reason or type(error).__name__) from error


def encode_pictures(
    paths: Sequence[Path | None], encoder: ImageEncoder, store: VectorStore, advance: Callable[[int], None]
) -> PictureFeatures:
    """Image features of a catalogue.

    Args:
        paths: [N] in catalogue order; None: the item has no picture.
        encoder: the frozen encoder.
        store: where vectors are kept, by the content of the files.
        advance: called with the number of pictures each time that some are done.
    """
    file_of = {row: path for row, path in enumerate(paths) if path is not None}
    key_of = {row: _key(path) for row, path in file_of.items()}
    one_of = {key: file_of[row] for row, key in key_of.items()}
    broken: dict[bytes, str] = {}

    def compute(keys: Sequence[bytes]) -> Vectors:
        images = _opened({key: one_of[key] for key in keys}, broken)
        return dict(zip(images, encoder.encode(list(images.values())), strict=True)) if images else {}

    known = store.fill(list(key_of.values()), encoder.info, compute, advance, PICTURES)
    unreadable = {row: broken[key] for row, key in key_of.items() if key in broken}
    vectors = {row: known[key] for row, key in key_of.items() if key in known}
    features = at_rows(len(paths), vectors, encoder.info) if vectors else None
    return PictureFeatures(features, unreadable)


def _opened(files: Mapping[bytes, Path], broken: dict[bytes, str]) -> dict[bytes, Image.Image]:
    """The pictures among the files; `broken` is told of the others."""
    images: dict[bytes, Image.Image] = {}
    for key, path in files.items():
        try:
            images[key] = open_picture(path)
        except PictureUnreadable as error:
            broken[key] = str(error)
    return images


def _require_size(image: Image.Image) -> None:
    """Sizes stand in the header: this is asked before anything is unpacked."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise PictureUnreadable(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Greys of 16 bits would be cut at 255 instead of scaled."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    above = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")


def _key(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, "sha256").digest()
