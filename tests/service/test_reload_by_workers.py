"""An activation reaches every worker, also one that starts later; and under load nobody notices but by the answers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.keys import hash_of
from tests.service.test_main import serving
from tests.service.versions import Answer, answers_of, flip_a_byte, is_of, write_version

ADMIN = {"Authorization": "Bearer the-admin-key"}
ENVIRONMENT = {
    "REC_ADMIN_KEY_SHA256": hash_of("the-admin-key"),
    "REC_ACTIVE_POLL_SECONDS": "0.1",
    "REC_REDIS_TIMEOUT_MS": "2000",
}
HISTORIES = [["book-01", "book-02"], ["book-33"], ["book-11", "book-52", "book-08"]]


@pytest.fixture
def models(tiny_bundle: Path, tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def versions(tiny_bundle: Path, models: Path) -> list[str]:
    return [write_version(tiny_bundle, models / f"b{number}", number) for number in range(3)]


def by_worker(client: httpx.Client) -> dict[int, str]:
    return {one["pid"]: one["model_version"] for one in client.get("/models").json()["workers"]}


def in_the_gauges(client: httpx.Client) -> set[int]:
    found = re.findall(r'^rec_model_active{.*pid="(\d+)"} 1\.0$', client.get("/metrics").text, re.MULTILINE)
    return set(map(int, found))


def comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def all_come_to_answer_with(version: str, client: httpx.Client, *, workers: int) -> bool:
    return comes_true(lambda: list(by_worker(client).values()) == [version] * workers)


def refusals(log: Path) -> int:
    return log.read_text().count("model refused")


def answered_with(client: httpx.Client) -> set[str]:
    """By whatever worker gets each of these new connections."""
    found = set()
    for _ in range(20):
        with httpx.Client(base_url=client.base_url) as fresh:
            found.add(fresh.post("/recommend", json={"history": HISTORIES[0]}).json()["model_version"])
    return found


def test_every_worker_follows_and_so_does_one_that_starts_later(
    models: Path, versions: list[str], tmp_path: Path
) -> None:
    with serving(tmp_path / "log", str(models), "--workers", "2", **ENVIRONMENT) as (client, _):
        assert all_come_to_answer_with(versions[2], client, workers=2)
        for version in (versions[0], versions[1]):
            activated = client.post(f"/admin/models/{version}/activate", headers=ADMIN)
            assert activated.json()["active"] == version
            assert all_come_to_answer_with(version, client, workers=2)
            assert answered_with(client) == {version}
        client.post("/admin/rollback", headers=ADMIN)
        assert all_come_to_answer_with(versions[0], client, workers=2)
        os.kill(min(by_worker(client)), signal.SIGKILL)
        time.sleep(1)
        with httpx.Client(base_url=client.base_url, timeout=10) as fresh:
            assert all_come_to_answer_with(versions[0], fresh, workers=2)
            assert answered_with(fresh) == {versions[0]}
            assert comes_true(lambda: in_the_gauges(fresh) == set(by_worker(fresh)))  # the killed one is forgotten


def test_what_one_worker_refuses_no_worker_serves(models: Path, versions: list[str], tmp_path: Path) -> None:
    with serving(tmp_path / "log", str(models), "--workers", "2", **ENVIRONMENT) as (client, _):
        assert all_come_to_answer_with(versions[2], client, workers=2)
        flip_a_byte(models / "b0")
        assert client.post(f"/admin/models/{versions[0]}/activate", headers=ADMIN).status_code == 409
        (models / "active.json").write_text(json.dumps({"active": versions[0], "previous": versions[2]}))
        assert comes_true(lambda: refusals(tmp_path / "log") == 2)  # of the worker that was asked, and of the other
        time.sleep(1)  # ten looks later
        assert refusals(tmp_path / "log") == 2
        assert answered_with(client) == {versions[2]}


async def keep_asking(
    client: httpx.AsyncClient, expected: dict[str, list[Answer]], stop: asyncio.Event
) -> tuple[int, list[str]]:
    """Ask until told to stop; how often, and what was wrong."""
    asked, wrong = 0, []
    while not stop.is_set():
        which = asked % len(HISTORIES)
        found = await client.post("/recommend", json={"history": HISTORIES[which], "n": 20})
        wrong += _complaints(found, which, expected)
        asked += 1
        await asyncio.sleep(0.02)
    return asked, wrong


def _complaints(found: httpx.Response, which: int, expected: dict[str, list[Answer]]) -> list[str]:
    if found.status_code != 200:
        return [f"status {found.status_code}"]
    body: dict[str, Any] = found.json()
    items = [(item["item_id"], item["score"]) for item in body["items"]]
    return [] if is_of(expected[body["model_version"]][which], items) else [f"not of {body['model_version']}"]


def test_fifty_reloads_under_load_are_seen_by_nobody(models: Path, versions: list[str], tmp_path: Path) -> None:
    expected = {version: answers_of(models / f"b{k}", HISTORIES, 20) for k, version in enumerate(versions)}

    async def scenario(url: httpx.URL) -> list[tuple[int, list[str]]]:
        stop = asyncio.Event()
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            askers = [asyncio.create_task(keep_asking(client, expected, stop)) for _ in range(4)]
            for turn in range(50):
                version = versions[turn % 3]
                activated = await client.post(f"/admin/models/{version}/activate", headers=ADMIN)
                assert activated.json()["active"] == version
            stop.set()
            return await asyncio.gather(*askers)

    with serving(tmp_path / "log", str(models), **ENVIRONMENT) as (client, _):
        found = asyncio.run(scenario(client.base_url))
        assert 'rec_reloads_total{outcome="activated"} 50.0' in client.get("/metrics").text
    assert [wrong for _, wrong in found] == [[]] * 4
    assert sum(asked for asked, _ in found) >= 50
