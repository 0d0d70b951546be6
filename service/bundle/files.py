"""A bundle as a folder: reading it with proof, and sealing one that was written.

Every byte is covered: `manifest.json` holds the sha256 of each file, `manifest.sha256` that of the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from service.bundle.arrays import read_array
from service.bundle.catalog import ItemCatalog
from service.bundle.errors import BundleCorrupt, BundleIncompatible, BundleMissing
from service.bundle.item_cards import ItemCard
from service.bundle.item_images import IMAGE_FILES, ItemImages
from service.bundle.manifest import SCHEMA_VERSION, BundleDraft, FileEntry, Manifest
from service.bundle.packed_strings import PackedStrings

ENCODER = "encoder.onnx"
RETRIEVAL = "retrieval.onnx"
RERANK = "rerank.onnx"
ITEM_VECTORS = "item_vectors.bin"
POPULAR = "popular.npy"
GOLDEN = "golden.npz"
CARDS = "item_cards"
MANIFEST = "manifest.json"
MANIFEST_HASH = "manifest.sha256"
REQUIRED = (
    ENCODER,
    RETRIEVAL,
    ITEM_VECTORS,
    POPULAR,
    GOLDEN,
    f"{CARDS}.bin",
    f"{CARDS}.offsets.npy",
    "item_ids.bin",
    "item_ids.offsets.npy",
)


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs and the outputs that the exported model must give for them again, wherever it is loaded."""

    history: NDArray[np.int64]
    """[G, L]"""
    user: NDArray[np.float32]
    """[G, D]"""
    items: NDArray[np.int64]
    """[G, K] catalogue indices, best first"""
    scores: NDArray[np.float32]
    """[G, K]"""
    reranked: NDArray[np.float32] | None = None
    """[G, K] what the re-ranker says of these items, in their places; None: the bundle has none"""

    @classmethod
    def read(cls, path: Path) -> Golden:
        """Read `golden.npz`; nothing in it is executed.

        Raises:
            KeyError, ValueError, TypeError, OSError, EOFError, BadZipFile: the file holds no golden tables.
        """
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            golden = cls(arrays["history"], arrays["user"], arrays["items"], arrays["scores"], arrays.get("reranked"))
        if {golden.history.ndim, golden.user.ndim, golden.items.ndim, golden.scores.ndim} != {2}:
            raise ValueError("golden inputs and outputs are tables")
        if golden.reranked is not None and golden.reranked.shape != golden.items.shape:
            raise ValueError(
                f"reranked {golden.reranked.shape} is not one score for each of items {golden.items.shape}"
            )
        return golden

    def write(self, path: Path) -> None:
        """Write `golden.npz`."""
        if self.reranked is None:
            np.savez(path, history=self.history, user=self.user, items=self.items, scores=self.scores)
            return
        np.savez(
            path,
            history=self.history,
            user=self.user,
            items=self.items,
            scores=self.scores,
            reranked=self.reranked,
        )


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """A bundle whose every file is what its manifest says."""

    folder: Path
    manifest: Manifest
    catalog: ItemCatalog
    cards: PackedStrings
    """[N] JSON of ItemCard, in catalogue order"""
    popular: NDArray[np.int32]
    """[N] catalogue indices, most popular first: what a user without a history gets"""
    golden: Golden
    images: ItemImages | None = None
    """[N] WebP pictures, in catalogue order; None: the bundle has none"""

    @classmethod
    def read(cls, folder: Path) -> ModelBundle:
        """Read and prove a bundle.

        Raises:
            BundleMissing: the folder or a file is not there.
            BundleCorrupt: a file differs from the manifest, or the files contradict each other.
            BundleIncompatible: another schema version.
        """
        manifest = read_manifest(folder)
        for name, entry in manifest.files.items():
            _check_file(folder / name, entry)
        bundle = cls(
            folder=folder,
            manifest=manifest,
            catalog=ItemCatalog.read(folder),
            cards=PackedStrings.read(folder, CARDS),
            popular=read_array(folder / POPULAR),
            golden=_read_golden(folder / GOLDEN),
            images=ItemImages.read(folder) if IMAGE_FILES[0] in manifest.files else None,
        )
        bundle._check_agreement()
        return bundle

    def card(self, index: int) -> ItemCard:
        """The card of the item with this catalogue index, 1..N."""
        return ItemCard.model_validate_json(self.cards[index - 1])

    def _check_agreement(self) -> None:
        """Files that are whole may still not belong together."""
        manifest, items = self.manifest, self.manifest.catalog.size
        vector_bytes = items * manifest.encoder.width * 4
        claims = (
            ("item_ids.bin", self.catalog.fingerprint == manifest.catalog.fingerprint, "fingerprint"),
            ("item_ids.offsets.npy", len(self.catalog) == items, "number of items"),
            (f"{CARDS}.offsets.npy", len(self.cards) == items, "number of items"),
            (POPULAR, np.array_equal(np.sort(self.popular), np.arange(1, items + 1)), "list of all items"),
            (ITEM_VECTORS, manifest.files[ITEM_VECTORS].bytes == vector_bytes, "size"),
            (GOLDEN, self.golden.history.shape[1] == manifest.encoder.max_history, "history length"),
            (GOLDEN, (self.golden.reranked is None) == (manifest.reranker is None), "`reranked`"),
            (IMAGE_FILES[1], self.images is None or len(self.images) == items, "number of items"),
        )
        for name, holds, what in claims:
            if not holds:
                raise BundleCorrupt(f"{self.folder / name}: its {what} is not the one that {MANIFEST} states")


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone, its own hash proven first; the schema version is looked at before anything else of it.

    Raises:
        BundleMissing: it is not there, or a file that every bundle has is not named in it.
        BundleCorrupt: it is not the one that was sealed.
        BundleIncompatible: another schema version.
    """
    path = folder / MANIFEST
    text = _read_bytes(path)
    stated = _read_bytes(folder / MANIFEST_HASH)
    if f"{sha256(text).hexdigest()}\n".encode() != stated:
        raise BundleCorrupt(f"{path}: its sha256 is not the one in {MANIFEST_HASH}")
    try:
        found = json.loads(text).get("schema_version")
        if found != SCHEMA_VERSION:
            raise BundleIncompatible(f"{path}: schema_version is {found!r}, this service reads {SCHEMA_VERSION}")
        manifest = Manifest.model_validate_json(text)
    except (ValidationError, ValueError, AttributeError) as error:
        raise BundleCorrupt(f"{path}: {error}") from error
    _require(folder, manifest.files)
    _require_both_or_none(folder, manifest.files, manifest)
    return manifest


def seal(folder: Path, draft: BundleDraft) -> Manifest:
    """Hash the files of a folder and write `manifest.json` and `manifest.sha256` into it.

    Raises:
        BundleMissing: a file that every bundle has, or the re-ranker of which the draft speaks, is not there.
        BundleCorrupt: a re-ranker is there of which the draft does not speak.
    """
    names = sorted(path.name for path in folder.iterdir() if path.name not in {MANIFEST, MANIFEST_HASH})
    _require(folder, names)
    _require_both_or_none(folder, names, draft)
    files = {name: FileEntry(sha256=_sha256(folder / name), bytes=(folder / name).stat().st_size) for name in names}
    manifest = Manifest(**draft.model_dump(), model_version=_version(draft, files), files=files)
    # A bundle without one of these is one of before there were any, to the byte.
    absent = {name for name in ("reranker", "repeat_offset") if getattr(manifest, name) is None}
    text = manifest.model_dump_json(indent=1, exclude=absent) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / MANIFEST_HASH).write_text(sha256(text.encode()).hexdigest() + "\n", encoding="ascii")
    return manifest


def _version(draft: BundleDraft, files: Mapping[str, FileEntry]) -> str:
    """The offset counts as a file would: with another one, the same graphs give other answers."""
    content = "".join(f"{name} {entry.sha256}\n" for name, entry in files.items())
    if draft.repeat_offset is not None:
        content += f"repeat_offset {draft.repeat_offset!r}\n"
    return f"{draft.student.name}-{draft.student.row}-{sha256(content.encode()).hexdigest()[:12]}"


def _require(folder: Path, names: Iterable[str]) -> None:
    there = set(names)
    pair = set(IMAGE_FILES) if there & set(IMAGE_FILES) else set()
    missing = sorted((set(REQUIRED) | pair) - there)
    if missing:
        raise BundleMissing(f"{folder}: no {', '.join(missing)}")


def _require_both_or_none(folder: Path, names: Iterable[str], draft: BundleDraft) -> None:
    """A re-ranker that is not spoken of would not be used; one that is must be there."""
    if draft.reranker is not None and RERANK not in names:
        raise BundleMissing(f"{folder}: no {RERANK} among its files, though {MANIFEST} has a `reranker`")
    if draft.reranker is None and (RERANK in names or (folder / RERANK).exists()):
        raise BundleCorrupt(f"{folder / RERANK}: {MANIFEST} has no `reranker`")


def _check_file(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise BundleMissing(f"{path} is not there")
    size = path.stat().st_size
    if size != entry.bytes:
        raise BundleCorrupt(f"{path}: {size} bytes, {MANIFEST} states {entry.bytes}")
    if _sha256(path) != entry.sha256:
        raise BundleCorrupt(f"{path}: its sha256 is not the one in {MANIFEST}")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleMissing(f"{path} is not there") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _read_golden(path: Path) -> Golden:
    try:
        return Golden.read(path)
    except (KeyError, ValueError, TypeError, OSError, EOFError, BadZipFile) as error:
        raise BundleCorrupt(f"{path}: {error}") from error
