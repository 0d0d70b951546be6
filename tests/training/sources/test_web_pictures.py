from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.training.sources.odd_server import OddServer
from training.sources.web_pictures import FetchedPictures, PicturesConfig, fetch_pictures


def png(colour: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, "PNG")
    return content.getvalue()


def fetched(odd: OddServer, folder: Path, names: list[str], **changes: object) -> FetchedPictures:
    config = PicturesConfig.model_validate({"at_once": 1, **changes})
    return fetch_pictures({name: f"{odd.address}/{name}" for name in names}, folder, config, lambda _: None)


def test_a_picture_is_fetched_once_and_the_same_address_has_the_same_name(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/red"] = png("red")
    found = [fetched(odd, tmp_path, ["red"]) for _ in range(2)]
    assert found[0] == found[1]
    assert (tmp_path / found[0].names["red"]).read_bytes() == png("red")
    assert len(odd.asked) == 1


@pytest.mark.parametrize(
    ("how", "changes", "reason"),
    [
        ("404", {}, "404"),
        ("cut", {}, "cut off"),
        ("silent", {"timeout": 0.1}, "timed out"),
        ("trickle", {"timeout": 0.1}, "too slow"),
        ("", {"largest": 20}, "more than 20 bytes"),
    ],
)
def test_one_that_cannot_be_had_is_named_and_the_others_come(
    odd: OddServer, tmp_path: Path, how: str, changes: dict[str, object], reason: str
) -> None:
    odd.files.update({"/red": png("red"), "/blue": png("blue")})
    odd.plan = [how]
    found = fetched(odd, tmp_path, ["red", "blue"], **changes)
    assert reason in found.failed["red"]
    assert ("blue" in found.names) == ("largest" not in changes)
    assert len(list(tmp_path.iterdir())) == len(found.names)


def test_what_is_no_picture_is_not_kept(odd: OddServer, tmp_path: Path) -> None:
    odd.files["/page"] = b"<html>gone</html>"
    found = fetched(odd, tmp_path, ["page"])
    assert found.failed == {"page": "no picture of a known format"}
    assert list(tmp_path.iterdir()) == []


def test_when_time_is_over_the_rest_waits_for_the_next_run(odd: OddServer, tmp_path: Path) -> None:
    odd.files.update({f"/{colour}": png(colour) for colour in ("red", "blue")})
    odd.plan = ["trickle"]
    found = fetched(odd, tmp_path, ["red", "blue"], seconds=0.1)
    assert "were over" in found.failed["blue"]
    assert set(fetched(odd, tmp_path, ["red", "blue"]).names) == {"red", "blue"}


def test_addresses_that_are_none_are_not_opened(tmp_path: Path) -> None:
    found = fetch_pictures({"a": "file:///etc/passwd"}, tmp_path, PicturesConfig(), lambda _: None)
    assert "no http address" in found.failed["a"]
