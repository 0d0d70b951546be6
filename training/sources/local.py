"""A folder of one's own: `interactions.csv.gz`, `items.jsonl.gz` and, if there are any, pictures and `domains.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ValidationError

from training.errors import SourceInvalid, SourceUnavailable
from training.gzip_files import either
from training.items import Item, read_items
from training.sources.base import RawData
from training.sources.interaction_table import read_interactions

DOMAINS = "domains.json"


class _Domains(BaseModel):
    """`domains.json`; further keys are left aside."""

    item_domain: dict[str, str]
    """Item id -> name of its domain."""


@dataclass(frozen=True)
class LocalSource:
    """Either file may also lie there unzipped."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    def read(self) -> RawData:
        """Read and check all files.

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
        items, remarks = self._place(items)
        return RawData(interactions, items, notes + remarks, self.folder)

    def _place(self, items: tuple[Item, ...]) -> tuple[tuple[Item, ...], tuple[str, ...]]:
        """The items in their domains, and what a person should know of that."""
        path = self.folder / DOMAINS
        if not path.is_file():
            return items, ()
        domain_of = _read_domains(path)
        ids = {item.item_id for item in items}
        unknown = [item_id for item_id in domain_of if item_id not in ids]
        if unknown:
            raise SourceInvalid(f"{path}, item_domain: {_some(unknown)} that the list of items does not have")
        _require_agreement(path, items, domain_of)
        placed = tuple(item.model_copy(update={"domain": domain_of.get(item.item_id, item.domain)}) for item in items)
        without = [item.item_id for item in placed if not item.domain]
        return placed, (f"{DOMAINS} leaves out {_some(without)}; they make a domain without name",) if without else ()

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


def _read_domains(path: Path) -> dict[str, str]:
    try:
        found = _Domains.model_validate_json(path.read_bytes()).item_domain
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "(the whole file)"
        raise SourceInvalid(f"{path}, field {field}: {first['msg']}") from error
    nameless = [item_id for item_id, name in found.items() if not name.strip()]
    if nameless:
        raise SourceInvalid(f"{path}, item_domain: no name of a domain for {_some(nameless)}")
    return found


def _require_agreement(path: Path, items: tuple[Item, ...], domain_of: dict[str, str]) -> None:
    both = [item for item in items if item.domain and domain_of.get(item.item_id, item.domain) != item.domain]
    if both:
        named = _some([item.item_id for item in both])
        raise SourceInvalid(f"{path}, item_domain: the list of items states another domain for {named}")


def _some(ids: list[str]) -> str:
    """The first few of them by name, and how many more."""
    shown = ", ".join(map(repr, ids[:3]))
    return f"{len(ids):,} items ({shown}{', ..' if len(ids) > 3 else ''})"
