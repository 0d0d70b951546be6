import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from training.config import ConfigError
from training.dataset import Dataset
from training.errors import SourceInvalid, SplitImpossible
from training.features.mean_colours import MeanColours
from training.prepare import PrepareConfig, prepare
from training.sources.synthetic import SyntheticConfig

SCIENTIFIC = Path(__file__).parents[2] / "../shared/data/amazon_scientific"
ITEMS = ('{"item_id": "a", "title": "Hammer"}', '{"item_id": "b"}', '{"item_id": "idle", "title": "Saw"}')
ROWS = ("v,b,3", "u,c,3", "u,a,1", "u,b,2", "u,a,1", "v,a,1", "v,a,2", "u,a,9", "w,a,1")
"""One row twice; c is not listed; w has one interaction."""


def folder(root: Path, rows: tuple[str, ...] = ROWS) -> Path:
    root.mkdir()
    (root / "interactions.csv").write_text("\n".join(("user_id,item_id,timestamp", *rows)), encoding="utf-8")
    (root / "items.jsonl").write_text("\n".join(ITEMS), encoding="utf-8")
    return root


def run(tmp_path: Path, **changes: object) -> tuple[Dataset, str]:
    shown = io.StringIO()
    config = PrepareConfig.model_validate({"encoder": "hashed-words", "cache": tmp_path / "cache", **changes})
    return prepare(config, tmp_path / "out/data", Console(file=shown, width=200)), shown.getvalue()


def histories(dataset: Dataset) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {user: [] for user in dataset.interactions.user_ids}
    for user, item in zip(dataset.interactions.user, dataset.interactions.item, strict=True):
        found[dataset.interactions.user_ids[int(user)]].append(dataset.catalog.item_id(int(item)))
    return found


def test_nothing_is_lost_without_being_counted(tmp_path: Path) -> None:
    dataset, shown = run(tmp_path, source="local", path=folder(tmp_path / "mine"))
    assert histories(dataset) == {"u": list("abca"), "v": list("aab"), "w": ["a"]}
    assert dataset.manifest.report == (
        "9 interactions and 3 listed items read",
        "1 rows dropped: the same user, item and second once more",
        "1 listed items dropped: no interaction is left of them",
        "1 items kept without metadata: interactions name them, the list of items does not",
    )
    assert dataset.text.present.tolist() == [False, True, False, False]
    assert dataset.manifest.counts.without_text == 2
    for part in (*dataset.manifest.report, "mine: 3 users, 3 items, 8 interactions; 2 items without text", "out/data"):
        assert part in shown


def test_the_order_of_the_rows_changes_nothing(tmp_path: Path) -> None:
    first, _ = run(tmp_path, source="local", path=folder(tmp_path / "mine"))
    again, _ = run(tmp_path, source="local", path=folder(tmp_path / "turned", ROWS[::-1]))
    assert first.fingerprint == again.fingerprint
    assert (first.name, again.name) == ("mine", "turned")


def test_the_core_is_taken_when_asked_for(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine", (*ROWS, "v,a,7", "v,b,8", "u,b,10"))
    dataset, shown = run(tmp_path, source="local", path=path, min_count=3)
    assert histories(dataset) == {"u": list("abab"), "v": list("aabab")}
    assert "2 rows dropped: users or items below min_count 3" in shown
    with pytest.raises(SourceInvalid, match="no interaction is left: no user and item with min_count 50"):
        run(tmp_path, source="local", path=path, min_count=50)


def test_a_failed_run_leaves_what_was_there(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine")
    before, _ = run(tmp_path, source="local", path=path)
    (path / "interactions.csv").write_text("user_id,item_id,timestamp\nu,a,noon\n", encoding="utf-8")
    with pytest.raises(SourceInvalid, match=r"mine/interactions\.csv, line 2, column timestamp: 'noon'"):
        run(tmp_path, source="local", path=path)
    assert Dataset.read(tmp_path / "out/data").fingerprint == before.fingerprint


def test_words_are_dropped_from_the_augmented_texts_alone(tmp_path: Path) -> None:
    whole, _ = run(tmp_path, source="synthetic")
    assert np.array_equal(whole.text.present, whole.text_word_drop.present)
    assert not np.array_equal(whole.text.values, whole.text_word_drop.values)
    same, _ = run(tmp_path, source="synthetic", word_drop=0)
    assert np.array_equal(same.text.values, same.text_word_drop.values)
    assert np.array_equal(same.text.values, whole.text.values)


def test_a_time_split_can_be_asked_for(tmp_path: Path) -> None:
    config = SyntheticConfig(users=50, items=20)
    dataset, _ = run(tmp_path, source="synthetic", synthetic=config, split="time", train_share=0.6)
    assert dataset.split.name == dataset.manifest.split == "time"
    assert 0 < dataset.manifest.counts.train < 0.6 * len(dataset.interactions) + 1
    with pytest.raises(ConfigError, match="train_share, validation_share"):
        run(tmp_path, source="synthetic", split="time", train_share=0.95, validation_share=0.1)
    with pytest.raises(SplitImpossible):
        run(tmp_path, source="local", path=folder(tmp_path / "mine", ("u,a,1", "u,b,1", "v,a,1")), split="time")


def with_pictures(root: Path) -> Path:
    path = folder(root)
    for item, content in (("a", None), ("b", b"<html>404</html>")):
        if content is None:
            Image.new("RGB", (9, 9), "red").save(path / f"{item}.png")
        else:
            (path / f"{item}.png").write_bytes(content)
    lines = [f'{{"item_id": "{item}", "title": "Hammer", "image": "{item}.png"}}' for item in "abd"]
    (path / "items.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_picture_that_is_none_is_named_and_not_promised(tmp_path: Path) -> None:
    path = with_pictures(tmp_path / "mine")
    dataset, shown = run(tmp_path, source="local", path=path, image_encoder="mean-colours")
    assert dataset.image is not None
    assert dataset.image.present.tolist() == [False, True, False, False]
    assert dataset.image.encoder == dataset.manifest.image_encoder == MeanColours().info
    assert [item.image for item in dataset.items] == ["a.png", None, None]
    assert (dataset.folder / "a.png").is_file()
    assert not (dataset.folder / "b.png").exists()
    assert "1 items have a picture that cannot be read" in dataset.manifest.report[-1]
    assert "'b' (no picture of a known format)" in shown
    assert "1 items without text, 2 without picture" in shown


def test_pictures_need_not_be_encoded(tmp_path: Path) -> None:
    dataset, _ = run(tmp_path, source="local", path=with_pictures(tmp_path / "mine"), image_encoder="none")
    assert (dataset.image, dataset.manifest.image_encoder, dataset.counts.without_image) == (None, None, 3)
    assert [item.image for item in dataset.items] == ["a.png", "b.png", None]


def test_an_encoder_of_pictures_is_not_asked_for_where_there_are_none(tmp_path: Path) -> None:
    dataset, _ = run(tmp_path, source="local", path=folder(tmp_path / "mine"), image_encoder=str(tmp_path / "nowhere"))
    assert dataset.image is None


def test_synthetic_pictures_arrive_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    shape = SyntheticConfig(users=100, items=40, follows="cluster", pictures="cluster", missing=0.5)
    dataset, _ = run(tmp_path, source="synthetic", synthetic=shape, image_encoder="mean-colours")
    assert dataset.image is not None
    assert dataset.image.present[1:].tolist() == [item.image is not None for item in dataset.items]
    assert dataset.text.present[1:].tolist() == [bool(item.title) for item in dataset.items]
    assert 0 < dataset.counts.without_text < 40
    assert 0 < dataset.counts.without_image < 40
    assert len(list((dataset.folder / "images").iterdir())) == 40 - dataset.counts.without_image


def test_domains_arrive_in_the_data_set(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine")
    (path / "domains.json").write_text('{"item_domain": {"a": "x", "b": "y", "idle": "z"}}', encoding="utf-8")
    dataset, _ = run(tmp_path, source="local", path=path)
    assert (dataset.domains, dataset.domain.tolist()) == (("", "x", "y"), [0, 1, 2, 0])  # c is not listed anywhere


def test_a_local_source_needs_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="path"):
        run(tmp_path, source="local")


def test_without_another_word_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    run(tmp_path, source="synthetic", cache=None)
    assert list((tmp_path / "xdg/prm-kd/features").rglob("*.npz"))


@pytest.mark.skipif(not SCIENTIFIC.is_dir(), reason="the Amazon Scientific data are not beside this project")
def test_amazon_scientific_is_the_published_set(tmp_path: Path) -> None:
    dataset, _ = run(tmp_path, source="local", path=SCIENTIFIC)
    counts = dataset.manifest.counts
    assert (counts.users, counts.items, counts.interactions) == (8_442, 4_385, 59_427)
    assert len(dataset.split.test) == len(dataset.split.validation) == 8_442
    assert (counts.train, counts.without_text) == (59_427 - 2 * 8_442, 0)
