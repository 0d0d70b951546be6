import gzip
import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.training.sources.odd_server import OddServer
from training.commands import app
from training.config import ConfigError
from training.dataset import Dataset
from training.errors import SourceInvalid, SourceUnavailable
from training.sources.amazon import AmazonConfig, AmazonSource, Release, find_category

REVIEWS = {
    "amazon-2018": "/categoryFilesSmall/Gift_Cards_5.json.gz",
    "amazon-2023": "/raw/review_categories/Gift_Cards.jsonl.gz",
}
PRODUCTS = {
    "amazon-2018": "/metaFiles2/meta_Gift_Cards.json.gz",
    "amazon-2023": "/raw/meta_categories/meta_Gift_Cards.jsonl.gz",
}


def lines(records: list[dict[str, object]]) -> bytes:
    return gzip.compress("".join(json.dumps(one) + "\n" for one in records).encode(), mtime=0)


def reviews(release: Release, triples: list[tuple[str, str, int]]) -> bytes:
    if release == "amazon-2018":
        return lines([{"reviewerID": u, "asin": i, "unixReviewTime": t, "overall": 5.0} for u, i, t in triples])
    return lines(
        [
            {"user_id": u, "asin": "v" + i, "parent_asin": i, "timestamp": t * 1000 + 7, "rating": 1.0}
            for u, i, t in triples
        ]
    )


def product(release: Release, item: str, picture: str = "", title: str = "A card") -> dict[str, object]:
    if release == "amazon-2018":
        shown = {"imageURLHighRes": [picture] if picture else []}
        return {"asin": item, "title": title, "brand": "Shop", "category": ["Gifts", "Cards"], "price": "$5", **shown}
    images: dict[str, object] = {"images": [{"large": picture, "hi_res": None, "thumb": "x"}] if picture else []}
    return {
        "parent_asin": item,
        "title": title,
        "store": "Shop",
        "categories": ["Gifts", "Cards"],
        "price": None,
        **images,
    }


def source(odd: OddServer, cache: Path, release: Release, pictures: int = 0) -> AmazonSource:
    config = AmazonConfig.model_validate(
        {"address_2018": odd.address, "address_2023": odd.address, "download": {"pause": 0, "attempts": 2}}
    )
    return AmazonSource(release, "gift cards", config, cache, pictures)


@pytest.fixture(params=["amazon-2018", "amazon-2023"])
def release(request: pytest.FixtureRequest, odd: OddServer) -> Release:
    """Two users, three items that somebody met, one that nobody did."""
    name: Release = request.param
    odd.files[REVIEWS[name]] = reviews(name, [("u", "b", 20), ("u", "a", 10), ("w", "c", 5), ("w", "b", 6)])
    listed = [product(name, item, f"{odd.address}/{item}.png") for item in ("a", "b", "unmet")]
    odd.files[PRODUCTS[name]] = lines([*listed, product(name, "a", title="again")])
    return name


def test_reviews_are_interactions_and_met_products_are_items(odd: OddServer, tmp_path: Path, release: Release) -> None:
    found = source(odd, tmp_path, release).read()
    assert found.interactions.rows() == [("u", "b", 20), ("u", "a", 10), ("w", "c", 5), ("w", "b", 6)]
    assert [(item.item_id, item.title, item.brand) for item in found.items] == [
        ("a", "A card", "Shop"),
        ("b", "A card", "Shop"),
    ]
    assert found.items[0].categories == ("Gifts", "Cards")
    assert "1 products listed once more were left aside" in found.notes
    assert any("sha256" in note for note in found.notes)


def test_the_second_time_needs_no_network(odd: OddServer, tmp_path: Path, release: Release) -> None:
    first = source(odd, tmp_path, release).read()
    asked = len(odd.asked)
    assert source(odd, tmp_path, release).read().items == first.items
    assert len(odd.asked) == asked


def test_pictures_are_fetched_for_the_items_most_met(odd: OddServer, tmp_path: Path, release: Release) -> None:
    content = BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    odd.files["/b.png"] = content.getvalue()
    one = source(odd, tmp_path, release, pictures=1).read()
    assert [bool(item.image) for item in one.items] == [False, True]  # b is met twice
    assert one.images is not None
    assert (one.images / str(one.items[1].image)).is_file()
    both = source(odd, tmp_path, release, pictures=9).read()
    assert [bool(item.image) for item in both.items] == [False, True]  # nobody serves a.png
    assert any(note.startswith("1 of 2 pictures fetched; a: ") for note in both.notes)


def test_a_broken_line_is_named(odd: OddServer, tmp_path: Path, release: Release) -> None:
    good = gzip.decompress(odd.files[REVIEWS[release]])
    odd.files[REVIEWS[release]] = gzip.compress(
        good + b'{"reviewerID": "x", "user_id": "x", "asin": "a", "parent_asin": "a"}\n'
    )
    with pytest.raises(SourceInvalid, match=r"Gift_Cards.*line 5, field (unixReviewTime|timestamp): Field required"):
        source(odd, tmp_path, release).read()


def test_a_file_damaged_on_the_way_is_named(odd: OddServer, tmp_path: Path, release: Release) -> None:
    odd.files[PRODUCTS[release]] = odd.files[PRODUCTS[release]][:-9]
    with pytest.raises(SourceInvalid, match=r"meta_Gift_Cards.*delete it, and the next run fetches it again"):
        source(odd, tmp_path, release).read()


def test_milliseconds_where_seconds_are_meant_are_refused(odd: OddServer, tmp_path: Path) -> None:
    odd.files[REVIEWS["amazon-2018"]] = reviews("amazon-2018", [("u", "a", 1_600_000_000_000)])
    odd.files[PRODUCTS["amazon-2018"]] = lines([product("amazon-2018", "a")])
    with pytest.raises(SourceInvalid, match="line 1, field timestamp: 1600000000000 lies beyond"):
        source(odd, tmp_path, "amazon-2018").read()


def test_page_source_in_place_of_a_title_is_no_title(odd: OddServer, tmp_path: Path, release: Release) -> None:
    odd.files[PRODUCTS[release]] = lines([product(release, "a", title="<style>" * 400)])
    assert source(odd, tmp_path, release).read().items[0].title == ""


@pytest.mark.parametrize(
    "written", ["Industrial_and_Scientific", "industrial & scientific", "Industrial and Scientific"]
)
def test_a_category_is_found_however_it_is_written(written: str) -> None:
    assert find_category("amazon-2023", written) == "Industrial_and_Scientific"


def test_one_that_is_not_there_is_refused_with_those_that_look_like_it() -> None:
    with pytest.raises(ConfigError, match="none called 'Gift_Crads'; did you mean Gift_Cards"):
        find_category("amazon-2018", "Gift_Crads")
    with pytest.raises(ConfigError, match="did you mean Prime_Pantry"):
        find_category("amazon-2018", "pantry")
    with pytest.raises(ConfigError, match="there are All_Beauty, Amazon_Fashion"):
        find_category("amazon-2023", "")


def test_offline_the_folder_for_the_files_is_named(tmp_path: Path) -> None:
    config = AmazonConfig.model_validate({"address_2023": "http://127.0.0.1:9", "download": {"attempts": 1}})
    with pytest.raises(SourceUnavailable, match=r"put the file at .*amazon-2023/Gift_Cards\.jsonl\.gz yourself"):
        AmazonSource("amazon-2023", "Gift_Cards", config, tmp_path).read()


def test_from_the_command_line_to_a_data_set(odd: OddServer, tmp_path: Path, release: Release) -> None:
    triples = [(f"u{user}", f"i{(user + step) % 5}", step) for user in range(6) for step in range(4)]
    odd.files[REVIEWS[release]] = reviews(release, triples)
    odd.files[PRODUCTS[release]] = lines([product(release, f"i{item}") for item in range(5)])
    config = tmp_path / "amazon.toml"
    config.write_text(
        f'cache = "{tmp_path / "cache"}"\n[amazon]\naddress_2018 = "{odd.address}"\naddress_2023 = "{odd.address}"\n',
        encoding="utf-8",
    )
    flags = ["--category", "gift cards", "--encoder", "hashed-words", "--config", str(config)]
    found = CliRunner().invoke(app, ["prepare", release, *flags, "--out", str(tmp_path / "data")])
    assert found.exit_code == 0, found.output
    dataset = Dataset.read(tmp_path / "data")
    assert (dataset.name, dataset.counts.users, dataset.counts.items) == (f"{release}-Gift_Cards", 6, 5)
    refused = CliRunner().invoke(app, ["prepare", release, "--category", "Gift", "--out", str(tmp_path / "x")])
    assert refused.exit_code == 2
    assert "did you mean Gift_Cards" in refused.output
