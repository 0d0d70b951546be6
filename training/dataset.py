"""A prepared data set: one folder, all that teachers and students learn from."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import polars as pl
from numpy.typing import NDArray

from service.bundle import PAD, BundleError, ItemCatalog, PackedStrings
from service.bundle.manifest import FileEntry
from training.arrays import fingerprint, read_only
from training.dataset_manifest import SCHEMA_VERSION, About, Counts, DatasetManifest, Fingerprints
from training.errors import DataError, DatasetCorrupt, DatasetMissing
from training.features.item_features import ItemFeatures
from training.gzip_files import write_bytes
from training.interactions import Interactions
from training.items import Item, read_items, write_items
from training.splits import Split

MANIFEST = "dataset.json"
ITEMS = "items.jsonl.gz"
SPLIT = "split.npz"
FEATURES = "features"
IMAGES = "images"
HISTORIES = "interactions.csv.gz"
"""All interactions, as `python -m service seed` reads them."""


@dataclass(frozen=True, eq=False)
class Contents:
    """The parts of a data set, in memory.

    Raises:
        ValueError: parts that do not belong together; the message says which.
    """

    catalog: ItemCatalog
    items: tuple[Item, ...]
    """[N] in catalogue order: `items[k]` has index k + 1"""
    interactions: Interactions
    split: Split
    text: ItemFeatures
    """Item texts through the frozen encoder"""
    text_word_drop: ItemFeatures
    """The same texts with 15% of their words dropped: UniSRec's augmentation"""
    image: ItemFeatures | None = field(default=None, kw_only=True)
    """Item pictures through a frozen encoder; None where no item has one"""

    def __post_init__(self) -> None:
        if [item.item_id for item in self.items] != list(self.catalog):
            raise ValueError("items: not those of the catalogue in its order")
        if len(self.interactions) and int(self.interactions.item.max()) > len(self.catalog):
            raise ValueError(f"interactions: an item beyond the catalogue's {len(self.catalog)}")
        if not len(self.text) == len(self.text_word_drop) == len(self.catalog):
            raise ValueError(f"features: not of the catalogue's {len(self.catalog)} items")
        if self.image is not None and len(self.image) != len(self.catalog):
            raise ValueError(f"image: features of {len(self.image)} items, not of the catalogue's {len(self.catalog)}")
        self.split.check(self.interactions)

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """Names of the K domains by their UTF-8 bytes; a catalogue that states none is one domain, called ""."""
        return tuple(sorted({item.domain for item in self.items})) or ("",)

    @cached_property
    def domain(self) -> NDArray[np.int64]:
        """[N + 1] which of `domains` each item belongs to; 0 for PAD."""
        number = {name: index for index, name in enumerate(self.domains)}
        return read_only([PAD, *(number[item.domain] for item in self.items)], np.int64)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """One per part."""
        return Fingerprints(
            interactions=self.interactions.fingerprint,
            catalog=self.catalog.fingerprint,
            texts=PackedStrings.pack(item.encoder_text() for item in self.items).fingerprint,
            split=self.split.fingerprint,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over interactions, catalogue and item texts: the same on every machine, whatever the encoder."""
        parts = self.fingerprints
        return fingerprint({"interactions": parts.interactions, "catalog": parts.catalog, "texts": parts.texts})

    @property
    def counts(self) -> Counts:
        """How much of everything."""
        return Counts(
            users=len(self.interactions.user_ids),
            items=len(self.catalog),
            interactions=len(self.interactions),
            train=int(self.split.train_end.sum()),
            validation=len(self.split.validation),
            test=len(self.split.test),
            without_text=len(self.catalog) - int(np.count_nonzero(self.text.present)),
            without_image=len(self.catalog) - (0 if self.image is None else int(np.count_nonzero(self.image.present))),
        )


@dataclass(frozen=True, eq=False)
class Dataset(Contents):
    """A data set whose every file is what its manifest says."""

    folder: Path
    manifest: DatasetManifest

    @property
    def name(self) -> str:
        """What people call it."""
        return self.manifest.name

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """Read and prove a prepared data set.

        Raises:
            DatasetMissing: the folder, or a file in it, is not there.
            DatasetCorrupt: files that are not those of the manifest, all of them named, or that contradict each other.
        """
        manifest = _read_manifest(folder)
        _check_files(folder, manifest)
        try:
            dataset = cls._load(folder, manifest)
        except (ValueError, KeyError, OSError, BadZipFile, DataError, BundleError) as error:
            raise DatasetCorrupt(f"{folder}: {error}") from error
        if (dataset.fingerprint, dataset.fingerprints) != (manifest.fingerprint, manifest.fingerprints):
            raise DatasetCorrupt(f"{folder / MANIFEST}: its fingerprints are not those of the files beside it")
        return dataset

    @classmethod
    def _load(cls, folder: Path, manifest: DatasetManifest) -> Dataset:
        seen = manifest.image_encoder
        return cls(
            catalog=ItemCatalog.read(folder),
            items=read_items(folder / ITEMS),
            interactions=Interactions.read(folder),
            split=Split.read(folder / SPLIT),
            text=ItemFeatures.read(folder / FEATURES, "text", manifest.encoder),
            text_word_drop=ItemFeatures.read(folder / FEATURES, "text_word_drop", manifest.encoder),
            image=None if seen is None else ItemFeatures.read(folder / FEATURES, "image", seen),
            folder=folder,
            manifest=manifest,
        )


def write_dataset(out: Path, contents: Contents, about: About, images: Path | None = None) -> Dataset:
    """Write a data set aside, then put it in its place in one move.

    Args:
        out: the folder; what stands there is replaced if it is a data set or empty.
        contents: the parts.
        about: what the manifest says of their origin.
        images: the folder that the items' image paths start from; those files are copied.

    Raises:
        DatasetCorrupt: `out` holds something else, which is left as it is.
    """
    _require_replaceable(out)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / FEATURES).mkdir(parents=True)
    _write_parts(partial, contents)
    if images is not None:
        _copy_images(images, partial, contents.items)
    names = sorted(path.relative_to(partial).as_posix() for path in partial.rglob("*") if path.is_file())
    manifest = DatasetManifest(
        **about.model_dump(),
        split=contents.split.name,
        encoder=contents.text.encoder,
        image_encoder=None if contents.image is None else contents.image.encoder,
        domains=dict(zip(contents.domains, np.bincount(contents.domain[1:]).tolist(), strict=True)),
        counts=contents.counts,
        fingerprint=contents.fingerprint,
        fingerprints=contents.fingerprints,
        files={name: _entry(partial / name) for name in names},
    )
    (partial / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _swap(partial, out)
    return Dataset.read(out)


def _write_parts(folder: Path, contents: Contents) -> None:
    contents.catalog.write(folder)
    write_items(folder / ITEMS, contents.items)
    contents.interactions.write(folder)
    contents.split.write(folder / SPLIT)
    contents.text.write(folder / FEATURES, "text")
    contents.text_word_drop.write(folder / FEATURES, "text_word_drop")
    if contents.image is not None:
        contents.image.write(folder / FEATURES, "image")
    _write_histories(folder / HISTORIES, contents.interactions, contents.catalog)


def _write_histories(path: Path, interactions: Interactions, catalog: ItemCatalog) -> None:
    users = pl.Series(list(interactions.user_ids), dtype=pl.String)
    items = pl.Series(list(catalog), dtype=pl.String)
    columns = {"user_id": users.gather(interactions.user), "item_id": items.gather(interactions.item - 1)}
    buffer = io.BytesIO()
    pl.DataFrame({**columns, "timestamp": interactions.time}).write_csv(buffer)
    write_bytes(path, buffer.getvalue())


def _copy_images(source: Path, folder: Path, items: Iterable[Item]) -> None:
    for image in (item.image for item in items if item.image):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / image, folder / image)


def _require_replaceable(out: Path) -> None:
    if out.exists() and not (out / MANIFEST).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise DatasetCorrupt(f"{out} is there and is no prepared data set: it is left as it is")


def _swap(partial: Path, out: Path) -> None:
    """A folder cannot be renamed onto a full one: the old one steps aside for the moment between two renames."""
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _read_manifest(folder: Path) -> DatasetManifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise DatasetMissing(f"{path} is not there: {folder} holds no prepared data set")
    try:
        page = json.loads(path.read_bytes())
        _require_schema(path, page)
        return DatasetManifest.model_validate(page)
    except ValueError as error:
        raise DatasetCorrupt(f"{path}: {error}") from error


def _require_schema(path: Path, page: object) -> None:
    found = page.get("schema_version") if isinstance(page, dict) else None
    if isinstance(found, int) and found != SCHEMA_VERSION:
        again = (
            "prepare it again: vectors are cached, so it is quick" if found < SCHEMA_VERSION else "it is of a newer one"
        )
        raise DatasetCorrupt(f"{path}: schema version {found}, and this program reads {SCHEMA_VERSION}; {again}")


def _check_files(folder: Path, manifest: DatasetManifest) -> None:
    missing = [name for name in manifest.files if not (folder / name).is_file()]
    if missing:
        raise DatasetMissing(f"{folder}: no {', '.join(missing)}")
    changed = [name for name, entry in manifest.files.items() if _entry(folder / name) != entry]
    if changed:
        raise DatasetCorrupt(f"{folder}: {', '.join(changed)} differ from what {MANIFEST} states")


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(sha256=file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)
