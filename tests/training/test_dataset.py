import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.bundle import ItemCatalog, PackedStrings
from training.dataset import Contents, Dataset, write_dataset
from training.dataset_manifest import About
from training.errors import DatasetCorrupt, DatasetMissing
from training.features.hashed_words import HashedWords
from training.features.item_features import EncoderInfo, ItemFeatures
from training.features.store import VectorStore, encode_items
from training.interactions import Interactions
from training.items import Item
from training.splits import EvaluationRows, Split, leave_one_out

ABOUT = About(name="tiny", config={"a": 1}, report=("read",), versions={"numpy": "2"})
ITEMS = (Item(item_id="a", title="Hammer", image="images/a.jpg"), Item(item_id="b"), Item(item_id="c", brand="Acme"))


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    user, item = np.repeat(np.arange(2), [4, 2]), np.array([1, 2, 3, 1, 2, 3])
    interactions = Interactions.sort(PackedStrings.pack(["u,1", "ü"]), user, item, np.array([10, 20, 20, 30, 5, 6]))
    texts = [one.encoder_text() for one in ITEMS]
    text = encode_items(texts, HashedWords(8), VectorStore(tmp_path / "vectors"), lambda _: None)
    return Contents(ItemCatalog.from_ids("abc"), ITEMS, interactions, leave_one_out(interactions), text, text)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "source/images").mkdir(parents=True)
    (tmp_path / "source/images/a.jpg").write_bytes(b"picture")
    return tmp_path / "source"


@pytest.fixture
def written(contents: Contents, images: Path, tmp_path: Path) -> Dataset:
    return write_dataset(tmp_path / "data", contents, ABOUT, images)


def test_a_folder_gives_back_what_was_written(contents: Contents, written: Dataset) -> None:
    read = Dataset.read(written.folder)
    assert (read.name, read.items, list(read.catalog)) == ("tiny", ITEMS, ["a", "b", "c"])
    assert (read.fingerprint, read.fingerprints) == (contents.fingerprint, contents.fingerprints)
    assert np.array_equal(read.text.values, contents.text.values)
    assert read.text.encoder == read.text_word_drop.encoder == HashedWords(8).info
    assert (read.folder / "images/a.jpg").read_bytes() == b"picture"


def test_the_counts_are_those_of_the_parts(written: Dataset) -> None:
    counts = written.manifest.counts.model_dump()
    assert counts == {
        "users": 2,
        "items": 3,
        "interactions": 6,
        "train": 4,
        "validation": 1,
        "test": 1,
        "without_text": 1,
        "without_image": 3,
    }
    assert (written.image, written.manifest.image_encoder) == (None, None)
    assert not list(written.folder.glob("features/image*"))


def test_pictures_are_read_back_with_their_encoder(contents: Contents, tmp_path: Path) -> None:
    info = EncoderInfo(name="eyes", fingerprint="1" * 64, width=2)
    image = ItemFeatures(
        np.array([[0, 0], [1, 2], [0, 0], [0, 3]], np.float32), np.array([False, True, False, True]), info
    )
    seen = replace(contents, image=image)
    read = Dataset.read(write_dataset(tmp_path / "seen", seen, ABOUT).folder)
    assert read.image is not None
    assert np.array_equal(read.image.values, image.values)
    assert read.image.encoder == read.manifest.image_encoder == info
    assert (read.manifest.counts.without_image, read.fingerprint) == (1, contents.fingerprint)
    with pytest.raises(ValueError, match="image: features of 1 items"):
        replace(contents, image=ItemFeatures(np.zeros((2, 2), np.float32), np.zeros(2, np.bool_), info))


def test_each_item_is_in_its_domain(contents: Contents, tmp_path: Path) -> None:
    assert (contents.domains, contents.domain.tolist()) == (("",), [0, 0, 0, 0])
    items = tuple(item.model_copy(update={"domain": name}) for item, name in zip(ITEMS, ("z", "é", "z"), strict=True))
    read = Dataset.read(write_dataset(tmp_path / "placed", replace(contents, items=items), ABOUT).folder)
    assert (read.domains, read.domain.tolist()) == (("z", "é"), [0, 0, 1, 0])
    assert read.manifest.domains == {"z": 2, "é": 1}
    assert read.fingerprint == contents.fingerprint


@pytest.mark.parametrize(("found", "message"), [(1, "prepare it again: vectors are cached"), (3, "newer")])
def test_another_schema_is_refused_with_what_to_do(written: Dataset, found: int, message: str) -> None:
    path = written.folder / "dataset.json"
    page = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**page, "schema_version": found}), encoding="utf-8")
    with pytest.raises(DatasetCorrupt, match=f"schema version {found}, and this program reads 2; .*{message}"):
        Dataset.read(written.folder)


@pytest.mark.parametrize("text", ["", "[1]", '{"name": "x"}'])
def test_a_manifest_that_is_none_is_refused(written: Dataset, text: str) -> None:
    (written.folder / "dataset.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetCorrupt, match=r"dataset\.json"):
        Dataset.read(written.folder)


def test_the_histories_for_the_service_are_all_interactions(written: Dataset) -> None:
    lines = gzip.decompress((written.folder / "interactions.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "user_id,item_id,timestamp"
    assert lines[1:] == ['"u,1",a,10', '"u,1",b,20', '"u,1",c,20', '"u,1",a,30', "ü,b,5", "ü,c,6"]


def test_equal_parts_make_equal_folders(contents: Contents, written: Dataset, images: Path, tmp_path: Path) -> None:
    again = write_dataset(tmp_path / "again", contents, ABOUT, images)
    changing = {"interactions.npz", "split.npz"}  # zip files hold the time of writing
    names = set(written.manifest.files) - changing
    assert {name: again.manifest.files[name] for name in names} == {
        name: written.manifest.files[name] for name in names
    }
    assert again.fingerprint == written.fingerprint


def test_every_file_is_proven_and_all_changed_ones_are_named(written: Dataset) -> None:
    for name in ("items.jsonl.gz", "features/text.npy"):
        path = written.folder / name
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DatasetCorrupt, match=r"features/text\.npy, items\.jsonl\.gz differ"):
        Dataset.read(written.folder)


def test_files_of_another_data_set_are_refused(written: Dataset, contents: Contents, tmp_path: Path) -> None:
    later = replace(contents, interactions=replace(contents.interactions, time=contents.interactions.time + 1))
    other = write_dataset(tmp_path / "other", later, ABOUT)
    shutil.copy(other.folder / "interactions.npz", written.folder / "interactions.npz")
    with pytest.raises(DatasetCorrupt, match=r"interactions\.npz differ"):
        Dataset.read(written.folder)


def test_a_manifest_that_was_edited_is_refused(written: Dataset) -> None:
    path = written.folder / "dataset.json"
    page = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**page, "fingerprint": "0" * 64}), encoding="utf-8")
    with pytest.raises(DatasetCorrupt, match="its fingerprints are not those"):
        Dataset.read(written.folder)
    path.write_text(json.dumps({**page, "colour": "red"}), encoding="utf-8")
    with pytest.raises(DatasetCorrupt, match="colour"):
        Dataset.read(written.folder)


def test_a_missing_file_or_folder_is_named(written: Dataset, tmp_path: Path) -> None:
    (written.folder / "split.npz").unlink()
    with pytest.raises(DatasetMissing, match=r"no split\.npz"):
        Dataset.read(written.folder)
    with pytest.raises(DatasetMissing, match="holds no prepared data set"):
        Dataset.read(tmp_path / "nowhere")


def test_a_data_set_may_be_written_over_and_nothing_else(contents: Contents, written: Dataset, tmp_path: Path) -> None:
    again = write_dataset(written.folder, contents, About(**{**ABOUT.model_dump(), "name": "new"}))
    assert Dataset.read(written.folder).name == again.name == "new"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetCorrupt, match="left as it is"):
        write_dataset(precious, contents, ABOUT)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    assert not [path.name for path in tmp_path.iterdir() if "partial" in path.name or path.name.endswith(".old")]


def test_parts_that_do_not_belong_together_are_refused(contents: Contents) -> None:
    with pytest.raises(ValueError, match="items: not those of the catalogue"):
        replace(contents, items=ITEMS[::-1])
    with pytest.raises(ValueError, match="an item beyond the catalogue's 2"):
        replace(contents, catalog=ItemCatalog.from_ids("ab"), items=ITEMS[:2])
    nobody = EvaluationRows(np.empty(0, dtype=np.int64))
    with pytest.raises(ValueError, match="train_end does not count"):
        replace(contents, split=Split("time", np.zeros(5, dtype=np.int64), nobody, nobody))


def test_texts_count_in_the_fingerprint_and_pictures_do_not(contents: Contents) -> None:
    other_text = (ITEMS[0].model_copy(update={"title": "Saw"}), *ITEMS[1:])
    other_image = (ITEMS[0].model_copy(update={"image": None}), *ITEMS[1:])
    assert replace(contents, items=other_text).fingerprint != contents.fingerprint
    assert replace(contents, items=other_image).fingerprint == contents.fingerprint
