"""Small data sets with a known structure, made in memory's time, for tests of teachers."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from training.dataset import Dataset
from training.features.item_features import EncoderInfo, ItemFeatures
from training.prepare import PrepareConfig, prepare
from training.sources.synthetic import SyntheticConfig
from training.teachers.base import Teacher

ITEMS = 60
BARE = (3, 7)
"""Indices of the target's items of which nothing is said: no text, no picture."""
SIMPLE = SyntheticConfig(users=300, items=ITEMS, clusters=6, strength=0.9, max_length=20)


@dataclass(frozen=True, eq=False)
class SmallData:
    """Two data sets to learn from first, and a target; the next item follows from the last with probability .9."""

    sources: tuple[Dataset, ...]
    target: Dataset
    """Most items have words and a picture; those of `BARE` have neither"""

    @classmethod
    def prepare(cls, folder: Path) -> SmallData:
        """Make them in a folder."""
        small = SIMPLE.model_copy(update={"users": 60, "items": 30})
        first, second = (_prepared(folder / f"source-{seed}", small, seed) for seed in (1, 2))
        target = _bare(_pictured(_prepared(folder / "target", SIMPLE, 0)))
        return cls((_pictured(first), second), target)


def of_another_encoder(dataset: Dataset) -> Dataset:
    """The same data set, its vectors said to be made by other encoders of the same widths."""
    text, image = dataset.text, dataset.image
    changed = replace(dataset, text=replace(text, encoder=_other(text.encoder)))
    return changed if image is None else replace(changed, image=replace(image, encoder=_other(image.encoder)))


def _other(encoder: EncoderInfo) -> EncoderInfo:
    return encoder.model_copy(update={"name": f"another {encoder.name}", "fingerprint": "0" * 64})


def _prepared(folder: Path, shape: SyntheticConfig, seed: int) -> Dataset:
    config = PrepareConfig(
        source="synthetic",
        name=folder.name,
        encoder="hashed-words",
        synthetic=shape.model_copy(update={"seed": seed}),
        cache=folder / "cache",
    )
    return prepare(config, folder / "data", Console(file=io.StringIO()))


def _pictured(dataset: Dataset) -> Dataset:
    """Pictures that are told apart and mean nothing."""
    encoder = EncoderInfo(name="drawn-6", fingerprint="6" * 64, width=6)
    values = np.random.default_rng(0).normal(size=(len(dataset.catalog) + 1, encoder.width)).astype(np.float32)
    present = np.arange(len(dataset.catalog) + 1) > 0  # [N + 1]
    return replace(dataset, image=ItemFeatures(values * present[:, None], present, encoder))


def _bare(dataset: Dataset) -> Dataset:
    """The same without a word on the items of `BARE`, and without their pictures."""
    silent = {"title": "", "brand": "", "categories": (), "text": "", "description": ""}
    items = [one.model_copy(update=silent) if k in BARE else one for k, one in enumerate(dataset.items, start=1)]
    text, dropped = _without(dataset.text), _without(dataset.text_word_drop)
    image = None if dataset.image is None else _without(dataset.image)
    return replace(dataset, items=tuple(items), text=text, text_word_drop=dropped, image=image)


def _without(features: ItemFeatures) -> ItemFeatures:
    said = features.present & ~np.isin(np.arange(features.present.size), BARE)  # [N + 1]
    return replace(features, values=np.where(said[:, None], features.values, 0), present=said)


def histories(teacher: Teacher) -> Tensor:
    """Eight histories of one item to as many as the teacher reads, left-padded: int64[8, L]."""
    length = min(teacher.max_history, 12)
    drawn = torch.randint(1, ITEMS + 1, (8, length), generator=torch.Generator().manual_seed(0))  # [8, L]
    kept = torch.linspace(1, length, 8).round()[:, None]  # [8, 1]
    return torch.where(torch.arange(length)[None] >= length - kept, drawn, 0)  # [8, L]
