"""From a source to a prepared data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from service.bundle import ItemCatalog, PackedStrings
from training.config import Config, ConfigError
from training.dataset import Contents, Dataset, write_dataset
from training.dataset_manifest import About
from training.errors import SourceInvalid
from training.features.efficientnet_lite import EFFICIENTNET
from training.features.encoder import TextEncoder
from training.features.hashed_words import HashedWords
from training.features.image import image_encoder
from training.features.item_features import ItemFeatures
from training.features.pictures import encode_pictures
from training.features.store import VectorStore, encode_items
from training.features.text import PoolingName, sentence_encoder
from training.features.word_drop import drop_words
from training.filtering import drop_exact_repeats, k_core
from training.interactions import Interactions
from training.items import Item
from training.sources.amazon import AmazonConfig, AmazonSource, find_category
from training.sources.base import RawData, Source
from training.sources.local import LocalSource
from training.sources.movielens import MovieLensConfig, MovieLensSource
from training.sources.resumable import Watch
from training.sources.synthetic import SyntheticConfig, SyntheticSource
from training.sources.unisrec_files import UniSRecSource
from training.splits import Split, SplitName, by_time, leave_one_out

SourceName = Literal["movielens-100k", "amazon-2018", "amazon-2023", "unisrec", "local", "synthetic"]
HASHED_WORDS = "hashed-words"


class PrepareConfig(Config):
    """What to prepare, and how."""

    source: SourceName = "movielens-100k"
    """`local` and `unisrec` need `path`, the Amazon releases `category`."""
    path: Path | None = None
    """Folder that the sources `local` and `unisrec` read."""
    category: str = ""
    """Of an Amazon release: `Industrial_and_Scientific`, or in your own spelling."""
    pictures: int = Field(default=0, ge=0)
    """Of an Amazon release: fetch at most so many pictures, of the items most met first."""
    name: str = ""
    """What people call the data set; empty: as the source calls it."""
    split: SplitName = "leave-one-out"
    train_share: float = Field(default=0.8, gt=0, lt=1)
    """Split `time` only: share of all interactions before the first cut."""
    validation_share: float = Field(default=0.1, gt=0, lt=1)
    """Split `time` only: share of all interactions between the cuts."""
    min_count: int = Field(default=0, ge=0)
    """k of the k-core: users and items with fewer interactions are dropped, until there are none. 0: all stay."""
    encoder: str = Field(default="minilm", min_length=1)
    """`minilm` (needs no network), `hashed-words` (no model at all), a folder, or a name on the Hugging Face hub."""
    max_tokens: int = Field(default=128, ge=8, le=8192)
    """Tokens of an item's text that the encoder reads."""
    pooling: PoolingName = "auto"
    """How a plain BERT's states become one vector: `mean`, or `cls`, the first one's; `auto`: as its folder says."""
    image_encoder: str = Field(default=EFFICIENTNET, min_length=1)
    """`efficientnet-lite0` (needs no network), `mean-colours` (no model at all), a CLIP or SigLIP by its folder or its
    name on the Hugging Face hub, or `none`. Where no item has a picture, it is not asked for."""
    word_drop: float = Field(default=0.15, ge=0, lt=1)
    """Share of the words missing in the augmented texts (UniSRec, KDD 2022, section 3.1.3)."""
    seed: int = Field(default=0, ge=0)
    """Of the word drop."""
    cache: Path | None = None
    """Keeps downloads and vectors; none given: `prm-kd` in XDG_CACHE_HOME or ~/.cache."""
    movielens: MovieLensConfig = MovieLensConfig()
    amazon: AmazonConfig = AmazonConfig()
    synthetic: SyntheticConfig = SyntheticConfig()


@dataclass(frozen=True, eq=False)
class _Numbered:
    """A source's data on its dense indices, and what became of the rest."""

    catalog: ItemCatalog
    items: tuple[Item, ...]
    interactions: Interactions
    report: tuple[str, ...]
    images: Path | None


def prepare(config: PrepareConfig, out: Path, console: Console | None = None) -> Dataset:
    """Read a source, check it, number it, split it, encode its texts and pictures, and write it as one folder.

    An interrupted run leaves `out` as it was; run again, it goes on where the encoder stopped.

    Args:
        config: what and how.
        out: the folder to write; a data set that stands there is replaced.
        console: where progress and the closing report are shown; none given: standard error.

    Raises:
        ConfigError: `local` without a path, or an impossible split.
        DataError: see `training.errors`.
    """
    console = console or Console(stderr=True)
    cache = config.cache or _user_cache()
    with _progress(console) as progress:
        source = _source(config, cache, _watch(progress))
        reading = progress.add_task(f"reading {source.name}", total=1)
        numbered = _number(source.read(), config)
        split = _split(numbered.interactions, config)
        progress.advance(reading)
        encoder, kept = _encoder(config), (VectorStore(cache / "features"), progress)
        numbered, image = _see(numbered, config, kept)
        contents = replace(_encode(numbered, split, (config, encoder), kept), image=image)
        writing = progress.add_task(f"writing {out}", total=1)
        dataset = write_dataset(out, contents, _about(config, source, numbered), numbered.images)
        progress.advance(writing)
    _show(console, dataset)
    return dataset


def _source(config: PrepareConfig, cache: Path, watch: Watch) -> Source:
    if config.source == "movielens-100k":
        return MovieLensSource(config.movielens, cache / "downloads")
    if config.source == "synthetic":
        return SyntheticSource(config.synthetic, cache / "synthetic")
    if config.source in ("amazon-2018", "amazon-2023"):
        find_category(config.source, config.category)
        return AmazonSource(config.source, config.category, config.amazon, cache / "downloads", config.pictures, watch)
    if config.path is None:
        raise ConfigError(f"path: the source `{config.source}` is a folder of yours; say which")
    return LocalSource(config.path) if config.source == "local" else UniSRecSource(config.path)


def _watch(progress: Progress) -> Watch:
    """A bar for each download."""
    bars: dict[str, TaskID] = {}

    def watch(name: str, there: int, total: int | None) -> None:
        if name not in bars:
            bars[name] = progress.add_task(f"fetching {name}", total=total)
        progress.update(bars[name], completed=there)

    return watch


def _encoder(config: PrepareConfig) -> TextEncoder:
    if config.encoder == HASHED_WORDS:
        return HashedWords()
    return sentence_encoder(config.encoder, config.max_tokens, config.pooling)


def _split(interactions: Interactions, config: PrepareConfig) -> Split:
    if config.split == "leave-one-out":
        return leave_one_out(interactions)
    try:
        return by_time(interactions, config.train_share, config.validation_share)
    except ValueError as error:
        raise ConfigError(f"train_share, validation_share: {error}") from error


def _number(raw: RawData, config: PrepareConfig) -> _Numbered:
    """Users and items get their indices in the order of their ids, so the order of a source's rows changes nothing."""
    unique, repeats = drop_exact_repeats(raw.interactions)
    table, below = k_core(unique, config.min_count)
    if table.is_empty():
        raise SourceInvalid(f"no interaction is left: no user and item with min_count {config.min_count}")
    users, items = (table[column].unique().sort() for column in ("user_id", "item_id"))
    known = {item.item_id: item for item in raw.items}
    interactions = Interactions.sort(
        PackedStrings.pack(users),
        _positions(table["user_id"], users),
        _positions(table["item_id"], items) + 1,
        table["timestamp"].to_numpy(),
    )
    unlisted = sum(item_id not in known for item_id in items)
    report = _report(raw, {"repeats": repeats, "below": below, "unlisted": unlisted, "items": len(items)}, config)
    ordered = tuple(known.get(item_id) or Item(item_id=item_id) for item_id in items)
    return _Numbered(ItemCatalog.from_ids(items), ordered, interactions, report, raw.images)


def _positions(ids: pl.Series, ordered: pl.Series) -> NDArray[np.int64]:
    """[M] where each id stands among the ordered ones."""
    return ids.cast(pl.Enum(ordered)).to_physical().to_numpy().astype(np.int64)


def _report(raw: RawData, count: dict[str, int], config: PrepareConfig) -> tuple[str, ...]:
    idle = len(raw.items) + count["unlisted"] - count["items"]
    said = {
        f"{count['repeats']:,} rows dropped: the same user, item and second once more": count["repeats"],
        f"{count['below']:,} rows dropped: users or items below min_count {config.min_count}": count["below"],
        f"{idle:,} listed items dropped: no interaction is left of them": idle,
        f"{count['unlisted']:,} items kept without metadata: interactions name them, the list of items does not": count[
            "unlisted"
        ],
    }
    read = f"{raw.interactions.height:,} interactions and {len(raw.items):,} listed items read"
    return (*raw.notes, read, *(sentence for sentence, number in said.items() if number))


def _see(
    numbered: _Numbered, config: PrepareConfig, kept: tuple[VectorStore, Progress]
) -> tuple[_Numbered, ItemFeatures | None]:
    """Encode the pictures; items whose file is none lose it, and the report names them."""
    root = numbered.images
    paths = [root / item.image if root and item.image else None for item in numbered.items]
    encoder = image_encoder(config.image_encoder) if any(paths) else None
    if encoder is None:
        return numbered, None
    store, progress = kept
    advance = _advance(progress, "encoding pictures", sum(map(bool, paths)))
    seen = encode_pictures(paths, encoder, store, advance)
    items = tuple(
        item.model_copy(update={"image": None}) if row in seen.unreadable else item
        for row, item in enumerate(numbered.items)
    )
    said = _unreadable([(items[row].item_id, reason) for row, reason in seen.unreadable.items()])
    return replace(numbered, items=items, report=(*numbered.report, *said)), seen.features


def _unreadable(found: list[tuple[str, str]]) -> tuple[str, ...]:
    if not found:
        return ()
    named = ", ".join(f"{item_id!r} ({reason})" for item_id, reason in found[:5])
    more = ", .." if len(found) > 5 else ""
    return (f"{len(found):,} items have a picture that cannot be read; they count as without picture: {named}{more}",)


def _encode(
    numbered: _Numbered, split: Split, how: tuple[PrepareConfig, TextEncoder], kept: tuple[VectorStore, Progress]
) -> Contents:
    (config, encoder), (store, progress) = how, kept
    texts = [item.encoder_text() for item in numbered.items]
    shorter = [
        drop_words(text, config.word_drop, (config.seed, item.item_id))
        for text, item in zip(texts, numbered.items, strict=True)
    ]
    named = {"texts": texts, "texts with words dropped": shorter}
    features = [
        encode_items(one, encoder, store, _advance(progress, f"encoding {name}", sum(map(bool, one))))
        for name, one in named.items()
    ]
    return Contents(numbered.catalog, numbered.items, numbered.interactions, split, features[0], features[1])


def _advance(progress: Progress, title: str, total: int) -> Callable[[int], None]:
    task = progress.add_task(title, total=total)
    return lambda done: progress.advance(task, done)


def _about(config: PrepareConfig, source: Source, numbered: _Numbered) -> About:
    versions = {
        package: version(package) for package in ("numpy", "polars", "pillow", "sentence-transformers", "torch")
    }
    about = {"name": config.name or source.name, "config": config.model_dump(mode="json", exclude={"cache"})}
    return About.model_validate({**about, "report": numbered.report, "versions": versions})


def _show(console: Console, dataset: Dataset) -> None:
    """The closing report."""
    counts = dataset.counts
    for sentence in dataset.manifest.report:
        console.print(f"- {sentence}", highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"[bold]{dataset.name}[/bold]: {counts.users:,} users, {counts.items:,} items, {counts.interactions:,} "
        f"interactions; {counts.without_text:,} items without text{_pictures(dataset)}\n"
        f"{dataset.split.name}: {counts.train:,} interactions to train on, {counts.validation:,} users in validation, "
        f"{counts.test:,} in the test\n"
        f"It lies in [bold]{dataset.folder}[/bold]",
        highlight=False,
        soft_wrap=True,
    )


def _pictures(dataset: Dataset) -> str:
    return "" if dataset.image is None else f", {dataset.counts.without_image:,} without picture"


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prm-kd"
