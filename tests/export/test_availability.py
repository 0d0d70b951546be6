"""From `available` in a shop's list of items to a list without what is sold out, by the real steps."""

from __future__ import annotations

import shutil
from pathlib import Path

from export.publish import publish
from service.filters import Filters
from service.models.opening import open_model
from service.recommender import Query
from service.settings import Settings
from service.timings import Timings
from training.dataset import Dataset
from training.items import read_items, write_items
from training.prepare import PrepareConfig, prepare


def sold_out(dataset: Dataset, gone: str, folder: Path) -> Dataset:
    """The same data, prepared again from a list of items in which one is no longer available."""
    folder.mkdir()
    shutil.copy(dataset.folder / "interactions.csv.gz", folder)
    items = read_items(dataset.folder / "items.jsonl.gz")
    changed = [item.model_copy(update={"available": item.item_id != gone}) for item in items]
    write_items(folder / "items.jsonl.gz", changed)
    config = PrepareConfig(source="local", path=folder, encoder="hashed-words", cache=folder / "cache")
    return prepare(config, folder / "data")


def test_an_item_goes_out_of_stock_without_training_anew(dataset: Dataset, run: Path, tmp_path: Path) -> None:
    gone = dataset.catalog.item_id(1)
    after = sold_out(dataset, gone, tmp_path / "shop")
    assert after.fingerprint == dataset.fingerprint  # so the student that was trained before still belongs to it
    publish(run, after.folder, tmp_path / "bundle")
    model = open_model(Settings(bundle=tmp_path / "bundle"))
    history = [dataset.catalog.item_id(k) for k in (2, 3)]
    everything = model.recommender.recommend(Query(history, 60), Timings())
    available = model.recommender.recommend(Query(history, 60, filters=Filters(available_only=True)), Timings())
    assert gone in everything.item_ids
    assert set(available.item_ids) == set(everything.item_ids) - {gone}
    assert [model.bundle.card(k).available for k in (1, 2)] == [False, True]
