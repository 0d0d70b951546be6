"""Another model becomes the active one in a running service, or is refused and nothing changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.keys import hash_of
from service.settings import Settings
from tests.service.versions import DAMAGES, Answer, answers_of, is_of, write_version

Serve = Callable[[Settings], httpx.Client]
HISTORY = ["book-01", "book-02", "book-05"]
ADMIN = {"Authorization": "Bearer the-admin-key"}


@pytest.fixture
def versions(tiny_bundle: Path, tmp_path: Path) -> list[str]:
    """Three versions in `tmp_path / "models"`, in the order of their export."""
    return [write_version(tiny_bundle, tmp_path / "models" / f"b{number}", number) for number in range(3)]


@pytest.fixture
def several(versions: list[str], settings: Settings, tmp_path: Path) -> Settings:
    assert len(set(versions)) == len(versions)
    changed = {"bundle": tmp_path / "models", "admin_key_sha256": hash_of("the-admin-key"), "active_poll_seconds": 0.05}
    return settings.model_copy(update=changed)


def answer(client: httpx.Client) -> tuple[str, Answer]:
    found = client.post("/recommend", json={"history": HISTORY, "n": 20})
    assert found.status_code == 200, found.text
    items = found.json()["items"]
    return found.json()["model_version"], [(item["item_id"], item["score"]) for item in items]


def answers_as(client: httpx.Client, version: str, expected: dict[str, Answer]) -> bool:
    named, found = answer(client)
    return named == version and is_of(expected[version], found)


def activate(client: httpx.Client, version: str) -> httpx.Response:
    return client.post(f"/admin/models/{version}/activate", headers=ADMIN)


def states(client: httpx.Client) -> dict[str, str]:
    return {one["folder"]: one["state"] for one in client.get("/models").json()["models"]}


def test_the_newest_begins_and_any_other_takes_over_and_back(
    serve: Serve, several: Settings, versions: list[str]
) -> None:
    expected = {
        version: answers_of(several.bundle / f"b{number}", [HISTORY], 20)[0] for number, version in enumerate(versions)
    }
    client = serve(several)
    assert answers_as(client, versions[2], expected)
    assert states(client) == {"b0": "on_disk", "b1": "on_disk", "b2": "active"}
    assert activate(client, versions[0]).json() == {"active": versions[0], "previous": versions[2]}
    assert answers_as(client, versions[0], expected)
    assert states(client) == {"b0": "active", "b1": "on_disk", "b2": "previous"}
    started = time.monotonic()
    rolled_back = client.post("/admin/rollback", headers=ADMIN)
    assert time.monotonic() - started < 1
    assert rolled_back.json() == {"active": versions[2], "previous": versions[0]}
    assert answers_as(client, versions[2], expected)
    assert client.get("/readyz").json()["model_version"] == versions[2]
    metrics = client.get("/metrics").text
    assert 'rec_reloads_total{outcome="activated"} 2.0' in metrics
    assert f'rec_model_active{{model_version="{versions[2]}"}} 1.0' in metrics
    assert f'rec_model_active{{model_version="{versions[0]}"}} 0.0' in metrics


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_doubtful_bundle_is_refused_and_the_old_one_serves_on(
    serve: Serve, several: Settings, versions: list[str], damage: Callable[[Path], None]
) -> None:
    client = serve(several)
    before = answer(client)
    damage(several.bundle / "b0")
    claimed = json.loads((several.bundle / "b0" / "manifest.json").read_text())["model_version"]
    refused = activate(client, claimed)
    assert (refused.status_code, refused.json()["error"]) == (409, "model_refused")
    assert DAMAGES[damage] in refused.json()["message"]
    assert str(several.bundle) not in refused.json()["message"]
    assert answer(client) == before
    listed = {one["folder"]: one for one in client.get("/models").json()["models"]}
    assert listed["b0"]["state"] == "refused"
    assert DAMAGES[damage] in listed["b0"]["reason"]
    assert 'rec_reloads_total{outcome="refused"} 1.0' in client.get("/metrics").text
    assert activate(client, versions[1]).status_code == 200


def test_a_folder_that_is_mended_is_no_longer_refused(
    serve: Serve, several: Settings, versions: list[str], tiny_bundle: Path
) -> None:
    client = serve(several)
    encoder = several.bundle / "b0" / "encoder.onnx"
    encoder.write_bytes(b"half of i")
    assert activate(client, versions[0]).status_code == 409
    encoder.write_bytes((tiny_bundle / "encoder.onnx").read_bytes())
    assert states(client)["b0"] == "on_disk"
    assert activate(client, versions[0]).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "unauthorized"),
        ({"Authorization": "Bearer guessed"}, 401, "unauthorized"),
        (ADMIN, 404, "unknown_model"),
    ],
)
def test_only_the_admin_may(serve: Serve, several: Settings, headers: dict[str, str], status: int, error: str) -> None:
    refused = serve(several).post("/admin/models/none/activate", headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (status, error)


def test_without_an_admin_key_nobody_may(client: httpx.Client) -> None:
    for path in ("/admin/models/none/activate", "/admin/rollback"):
        refused = client.post(path, headers=ADMIN)
        assert (refused.status_code, refused.json()["error"]) == (403, "admin_closed")


def test_the_admin_and_the_callers_have_keys_of_their_own(serve: Serve, several: Settings, versions: list[str]) -> None:
    client = serve(several.model_copy(update={"api_keys_sha256": f"app={hash_of('the-app-key')}"}))
    app = {"Authorization": "Bearer the-app-key"}
    path = f"/admin/models/{versions[0]}/activate"
    assert [client.get("/models", headers=headers).status_code for headers in ({}, ADMIN, app)] == [401, 401, 200]
    assert [client.post(path, headers=headers).status_code for headers in ({}, app, ADMIN)] == [401, 401, 200]


def test_there_is_nothing_to_go_back_to_at_first(serve: Serve, several: Settings) -> None:
    refused = serve(several).post("/admin/rollback", headers=ADMIN)
    assert (refused.status_code, refused.json()["error"]) == (409, "not_activated")


def test_activating_the_active_one_changes_nothing(serve: Serve, several: Settings, versions: list[str]) -> None:
    client = serve(several)
    activate(client, versions[1])
    assert activate(client, versions[1]).json() == {"active": versions[1], "previous": versions[2]}


def test_the_choice_outlives_the_service_and_is_the_only_one(
    serve: Serve, several: Settings, versions: list[str]
) -> None:
    activate(serve(several), versions[1])
    again = serve(several)
    assert answer(again)[0] == versions[1]
    assert again.post("/admin/rollback", headers=ADMIN).json() == {"active": versions[2], "previous": versions[1]}


def wait_for(client: httpx.Client, version: str) -> None:
    deadline = time.monotonic() + 10
    while answer(client)[0] != version:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_person_writes_into_the_active_file_is_followed_if_it_can_be(
    serve: Serve, several: Settings, versions: list[str]
) -> None:
    client, file = serve(several), several.bundle / "active.json"
    file.write_text(json.dumps({"active": versions[0]}))
    wait_for(client, versions[0])
    for nonsense in ("", "{", '{"active": 7}', '{"active": "nobody"}'):
        file.write_text(nonsense)
        time.sleep(0.2)
        assert answer(client)[0] == versions[0]
    assert activate(client, versions[1]).status_code == 200
    assert json.loads(file.read_text()) == {"active": versions[1], "previous": versions[0]}


def test_a_place_for_the_active_file_of_its_own(
    serve: Serve, several: Settings, versions: list[str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    client = serve(several.model_copy(update={"active_file": elsewhere}))
    assert activate(client, versions[0]).status_code == 200
    assert json.loads(elsewhere.read_text())["active"] == versions[0]
    assert not (several.bundle / "active.json").exists()


def test_where_nothing_can_be_written_it_serves_and_says_no(
    serve: Serve, several: Settings, versions: list[str], tmp_path: Path
) -> None:
    client = serve(several.model_copy(update={"active_file": tmp_path / "no" / "such" / "folder"}))
    refused = activate(client, versions[0])
    assert (refused.status_code, refused.json()["error"]) == (409, "not_activated")
    assert answer(client)[0] == versions[2]


def test_one_bundle_is_served_as_ever(client: httpx.Client, settings: Settings) -> None:
    listed = client.get("/models").json()
    version = client.get("/readyz").json()["model_version"]
    assert [(one["model_version"], one["state"]) for one in listed["models"]] == [(version, "active")]
    assert [worker["model_version"] for worker in listed["workers"]] == [version]
    assert not (settings.bundle / "active.json").exists()


def test_cards_and_lists_are_of_one_model(serve: Serve, several: Settings, versions: list[str]) -> None:
    client = serve(several)
    for version in versions:
        activate(client, version)
        cards = client.get("/items", params={"ids": ["book-01"]}).json()
        assert cards["model_version"] == version
        assert cards["items"][0]["title"] == "The Quiet Airlock"
