from pathlib import Path

import pytest

from training.errors import SourceInvalid, SourceUnavailable
from training.sources.local import LocalSource

SCIENTIFIC = Path(__file__).parents[3] / "../shared/data/amazon_scientific"


def folder(root: Path, items: str) -> Path:
    (root / "interactions.csv").write_text("user_id,item_id,timestamp\nu,a,1\n", encoding="utf-8")
    (root / "items.jsonl").write_text(items, encoding="utf-8")
    return root


def test_plain_files_are_read_as_well(tmp_path: Path) -> None:
    source = LocalSource(folder(tmp_path, '{"item_id": "a", "title": "A"}\n'))
    raw = source.read()
    assert (raw.interactions.rows(), [item.title for item in raw.items]) == ([("u", "a", 1)], ["A"])
    assert (source.name, raw.notes) == (tmp_path.name, ())


def test_pictures_that_are_not_there_are_counted_and_not_promised(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_bytes(b"picture")
    lines = ['{"item_id": "a", "image": "images/a.jpg"}', '{"item_id": "b", "image": "images/b.jpg"}']
    raw = LocalSource(folder(tmp_path, "\n".join(lines))).read()
    assert [item.image for item in raw.items] == ["images/a.jpg", None]
    assert raw.notes[0].startswith("1 items name a picture that is not there")


@pytest.mark.parametrize("image", ["../secret.jpg", "/etc/hostname", "images/../../secret.jpg"])
def test_a_picture_outside_of_the_folder_is_refused(tmp_path: Path, image: str) -> None:
    with pytest.raises(SourceInvalid, match=r"item 'a', field image: .* leads out of the folder"):
        LocalSource(folder(tmp_path, f'{{"item_id": "a", "image": "{image}"}}')).read()


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="is no folder"):
        LocalSource(tmp_path / "nowhere").read()
    with pytest.raises(SourceUnavailable, match=r"neither interactions\.csv\.gz"):
        LocalSource(tmp_path).read()


@pytest.mark.skipif(not SCIENTIFIC.is_dir(), reason="the Amazon Scientific data are not beside this project")
def test_amazon_scientific_is_read_whole() -> None:
    raw = LocalSource(SCIENTIFIC).read()
    assert raw.interactions.height == 59_427
    assert raw.interactions["user_id"].n_unique() == 8_442
    assert len(raw.items) == raw.interactions["item_id"].n_unique() == 4_385
    assert all(item.encoder_text() == " ".join(item.text.split()) for item in raw.items if "&" not in item.text)
