from pathlib import Path

import pytest

from training.errors import SourceInvalid, SourceUnavailable
from training.sources.base import RawData
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


TWO = '{"item_id": "a"}\n{"item_id": "b"}\n'


def placed(root: Path, page: str, items: str = TWO) -> RawData:
    folder(root, items)
    (root / "domains.json").write_text(page, encoding="utf-8")
    return LocalSource(root).read()


def test_items_are_put_into_their_domains(tmp_path: Path) -> None:
    raw = placed(tmp_path, '{"item_domain": {"a": "toys", "b": "books"}, "rule": "by hand", "stats": {}}')
    assert ([item.domain for item in raw.items], raw.notes) == (["toys", "books"], ())


def test_an_item_without_a_domain_is_named(tmp_path: Path) -> None:
    raw = placed(tmp_path, '{"item_domain": {"a": "toys"}}')
    assert [item.domain for item in raw.items] == ["toys", ""]
    assert raw.notes == ("domains.json leaves out 1 items ('b'); they make a domain without name",)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("[", r"field \(the whole file\): Invalid JSON"),
        ("{}", "field item_domain: Field required"),
        ('{"item_domain": {"a": 1}}', r"field item_domain\.a"),
        ('{"item_domain": {"a": " "}}', r"no name of a domain for 1 items \('a'\)"),
        ('{"item_domain": {"x": "toys"}}', r"1 items \('x'\) that the list of items does not have"),
        ('{"item_domain": {"p": "t", "q": "t", "r": "t", "s": "t"}}', r"4 items \('p', 'q', 'r', \.\.\)"),
    ],
)
def test_domains_that_cannot_be_meant_are_refused(tmp_path: Path, page: str, message: str) -> None:
    with pytest.raises(SourceInvalid, match=f"domains\\.json.*{message}"):
        placed(tmp_path, page)


def test_two_domains_of_one_item_are_refused(tmp_path: Path) -> None:
    items = '{"item_id": "a", "domain": "books"}\n'
    with pytest.raises(SourceInvalid, match=r"the list of items states another domain for 1 items \('a'\)"):
        placed(tmp_path, '{"item_domain": {"a": "toys"}}', items)


@pytest.mark.skipif(not SCIENTIFIC.is_dir(), reason="the Amazon Scientific data are not beside this project")
def test_amazon_scientific_is_read_whole() -> None:
    raw = LocalSource(SCIENTIFIC).read()
    assert raw.interactions.height == 59_427
    assert raw.interactions["user_id"].n_unique() == 8_442
    assert len(raw.items) == raw.interactions["item_id"].n_unique() == 4_385
    assert all(item.encoder_text() == " ".join(item.text.split()) for item in raw.items if "&" not in item.text)
