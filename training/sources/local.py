"""A folder of one's own: `interactions.csv.gz`, `items.jsonl.gz` and, if there are any, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.errors import SourceInvalid, SourceUnavailable
from training.gzip_files import either
from training.items import Item, read_items
from training.sources.base import RawData
from training.sources.interaction_table import read_interactions


@dataclass(frozen=True)
class LocalSource:
    """Either file may also lie there unzipped."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    def read(self) -> RawData:
        """Read and check both files.

        Raises:
            SourceUnavailable: the folder or a file is not there.
            SourceInvalid: a file is not what the format says.
        """
        if not self.folder.is_dir():
            raise SourceUnavailable(f"{self.folder} is no folder")
        interactions = read_interactions(either(self.folder, "interactions.csv"))
        path = either(self.folder, "items.jsonl")
        items, lost = self._find_images(path, read_items(path))
        notes = (f"{lost} items name a picture that is not there; they count as without picture",) if lost else ()
        return RawData(interactions, items, notes, self.folder)

    def _find_images(self, path: Path, items: tuple[Item, ...]) -> tuple[tuple[Item, ...], int]:
        """The items with only those pictures that are there, and how many are not."""
        lost = [item.item_id for item in items if item.image and not self._image(path, item).is_file()]
        without = set(lost)
        kept = (item.model_copy(update={"image": None}) if item.item_id in without else item for item in items)
        return tuple(kept), len(lost)

    def _image(self, path: Path, item: Item) -> Path:
        relative = PurePosixPath(item.image or "")
        if relative.is_absolute() or ".." in relative.parts:
            raise SourceInvalid(f"{path}, item {item.item_id!r}, field image: {item.image!r} leads out of the folder")
        return self.folder / relative
