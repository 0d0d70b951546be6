"""`dataset.json`: everything a prepared data set says of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from service.bundle.manifest import FileEntry
from training.config import Config
from training.features.item_features import EncoderInfo
from training.splits import SplitName

SCHEMA_VERSION: Literal[2] = 2
"""2: pictures and domains."""


class Counts(Config):
    """How much of everything."""

    users: int
    items: int
    interactions: int
    train: int
    """Interactions in the train part."""
    validation: int
    """Users that are asked for in validation."""
    test: int
    """Users that are asked for in the test."""
    without_text: int
    """Items that text encoders have nothing to read of."""
    without_image: int
    """Items that image encoders have nothing to see of; all of them where pictures were not asked for."""


class Fingerprints(Config):
    """Hex sha256 of each part."""

    interactions: str
    catalog: str
    texts: str
    split: str


class About(Config):
    """Where a data set comes from, known before it is written."""

    name: str = Field(min_length=1)
    config: dict[str, JsonValue]
    """The configuration of `prepare`."""
    report: tuple[str, ...]
    """What prepare did to the source, in sentences: what was dropped, and why."""
    versions: dict[str, str]
    """Versions of the libraries whose result may differ."""


class DatasetManifest(About):
    """`dataset.json`."""

    schema_version: Literal[2] = SCHEMA_VERSION
    split: SplitName
    encoder: EncoderInfo
    """Of the texts."""
    image_encoder: EncoderInfo | None
    """Of the pictures; null where no item has one, or none was asked for."""
    domains: dict[str, int]
    """Name of each domain -> items in it; a catalogue that states none is one domain, called ""."""
    counts: Counts
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Over interactions, catalogue and item texts."""
    fingerprints: Fingerprints
    files: dict[str, FileEntry]
    """Path inside the folder -> size and sha256."""
