"""Pictures of the items for the bundle: decoded, made small and written anew, so that nothing else comes along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image

from service.bundle import ItemImages
from training.dataset import Dataset
from training.features.pictures import PictureUnreadable, open_picture

MAX_SIDE = 160
"""Pixels of the longer side; a smaller picture is not made larger. The console shows them at half of that, for screens
of two pixels in one."""
QUALITY = 80
NAMED = 5
"""Broken pictures that are told of one by one."""


@dataclass(frozen=True)
class Pictures:
    """What became of the pictures of a catalogue."""

    packed: int = 0
    """How many items have one in the bundle."""
    unreadable: tuple[str, ...] = ()
    """Of each picture that cannot be read: item, file and reason."""

    def remark(self) -> str | None:
        """What whoever exports should know, in a sentence; None: nothing."""
        if not self.unreadable:
            return None
        more = ", .." if len(self.unreadable) > NAMED else ""
        named = ", ".join(self.unreadable[:NAMED])
        return f"{len(self.unreadable):,} items have a picture that cannot be read and go without: {named}{more}"


def pack_pictures(dataset: Dataset, folder: Path) -> Pictures:
    """Write the pictures of the data set's items into the folder of a bundle; where no item has one, no file.

    A picture that cannot be read takes no bundle from all other items: the item goes without, as in `prepare`.
    """
    reading = _Reading(dataset)
    return Pictures(ItemImages.write(folder, reading.small()), tuple(reading.unreadable))


@dataclass(eq=False)
class _Reading:
    """One picture after the other, so that only one is in memory."""

    dataset: Dataset
    unreadable: list[str] = field(default_factory=list)

    def small(self) -> Iterator[bytes]:
        """A WebP file for each item in catalogue order; empty where there is no picture."""
        for item in self.dataset.items:
            yield b"" if item.image is None else self._small(item.item_id, self.dataset.folder / item.image)

    def _small(self, item_id: str, path: Path) -> bytes:
        try:
            return thumbnail(open_picture(path))
        except PictureUnreadable as error:
            self.unreadable.append(f"{item_id!r} ({path}: {error})")
            return b""


def thumbnail(picture: Image.Image) -> bytes:
    """A WebP file of the pixels alone: what else a file may carry (where it was taken, texts) stays behind. The picture
    itself is made small."""
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    file = BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=4, exif=b"", xmp=b"", icc_profile=b"")
    return file.getvalue()
