"""Every command in its order, on behaviour of known structure: what the service recommends must be that structure."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.bundle import ModelBundle
from training.sources.synthetic import SyntheticConfig, SyntheticSource

ROOT = Path(__file__).parents[1]
SYNTHETIC = SyntheticConfig(users=300, items=60, clusters=6, strength=0.9, min_length=8, max_length=24)
RECIPE_OF_DATA = f"""
encoder = "hashed-words"
[synthetic]
{chr(10).join(f"{name} = {value!r}" for name, value in SYNTHETIC.model_dump().items())}
"""
RECIPE_OF_TEACHER = """
[model]
experts = 2
item_ids = true
encoder = {width = 32, inner = 64, layers = 1, heads = 2, dropout = 0.1, max_history = 16}
[pretrain.fit]
epochs = 3
rows_per_batch = 512
[finetune]
freeze_sequence_encoder = false
[finetune.fit]
epochs = 12
learning_rate = 0.005
rows_per_batch = 512
"""
RECIPE_OF_STUDENT = """
[student]
encoder = {width = 32, inner = 64, layers = 1, heads = 2, dropout = 0.1, max_history = 16}
[fit]
epochs = 25
learning_rate = 0.005
rows_per_batch = 512
"""


def environment(folder: Path) -> dict[str, str]:
    """One thread each: many small steps on busy cores; and nothing read or written in the user's own cache."""
    return os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}


def step(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, teachers, knowledge, student and bundle, one after the other."""
    out = tmp_path_factory.mktemp("end_to_end")
    for name, recipe in {"data": RECIPE_OF_DATA, "teacher": RECIPE_OF_TEACHER, "student": RECIPE_OF_STUDENT}.items():
        (out / f"{name}.toml").write_text(recipe)
    data, teacher, student = (f"--config={out / name}.toml" for name in ("data", "teacher", "student"))
    of_data = f"--data={out / 'data'}"
    step(out, "training", "prepare", "synthetic", data, f"--out={out / 'data'}")
    step(out, "training", "pretrain", "unisrec", teacher, of_data, f"--out={out / 'pretrained'}")
    step(
        out,
        "training",
        "finetune",
        "unisrec",
        teacher,
        of_data,
        f"--init={out / 'pretrained'}",
        f"--out={out / 'fine'}",
    )
    step(out, "training", "gather", of_data, f"--teacher={out / 'fine'}", f"--out={out / 'knowledge'}")
    step(
        out,
        "training",
        "distill",
        "sasrec",
        student,
        of_data,
        f"--knowledge={out / 'knowledge'}",
        f"--out={out / 'run'}",
    )
    step(out, "export", str(out / "run"), str(out / "bundle"))
    return out


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    """A real service with its own embedded Redis, seeded with the data set's histories."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", str(folder / "bundle"), "--port", str(port)]
    settings = {"REC_SEED_INTERACTIONS": str(folder / "data" / "interactions.csv.gz"), "REC_REDIS_TIMEOUT_MS": "2000"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(folder) | settings, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as running:
            wait_until_ready(running, process, folder / "log")
            yield running
    finally:
        process.terminate()
        process.wait(15)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def chain() -> list[str]:
    """The ring of items: each is followed by the next, and the last by the first."""
    successor = SyntheticSource(SYNTHETIC).successor()
    ring = [0]
    while len(ring) < SYNTHETIC.items:
        ring.append(int(successor[ring[-1]]))
    return [f"i{number}" for number in ring]


def recommended(client: httpx.Client, body: Mapping[str, object]) -> list[str]:
    answer = client.post("/recommend", json={"n": 10, **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["degraded"] is False
    return [item["item_id"] for item in answer.json()["items"]]


def test_the_bundle_tells_where_it_comes_from(folder: Path) -> None:
    manifest = ModelBundle.read(folder / "bundle").manifest
    teacher = json.loads((folder / "fine" / "model.json").read_text())
    assert manifest.student.row == "A7"
    assert [(one.name, one.fingerprint) for one in manifest.teachers] == [("unisrec", teacher["weights_sha256"])]


def test_the_next_item_of_the_chain_is_recommended_first(client: httpx.Client, chain: list[str]) -> None:
    """No list that is the same for everybody has more than 10 of 60 items right; the structure gives all of them."""
    popular = recommended(client, {})
    places = np.arange(len(chain))
    histories = [[chain[place - 2], chain[place - 1], chain[place]] for place in places]
    following = [chain[(place + 1) % len(chain)] for place in places]
    lists = [recommended(client, {"history": history}) for history in histories]
    first = np.mean([found[0] == item for found, item in zip(lists, following, strict=True)])
    among_popular = np.mean([item in popular for item in following])
    assert among_popular == pytest.approx(10 / 60)
    assert first > 0.8
    assert not any(set(history) & set(found) for history, found in zip(histories, lists, strict=True))


def test_noise_is_not_learnt_as_structure(client: httpx.Client, chain: list[str]) -> None:
    """The other way round the chain nothing follows: the predecessor is no better than chance."""
    places = range(0, len(chain), 2)
    lists = [recommended(client, {"history": [chain[place]]}) for place in places]
    first = np.mean([found[0] == chain[place - 1] for place, found in zip(places, lists, strict=True)])
    assert first < 0.2


def test_what_a_user_has_just_done_counts_at_once(client: httpx.Client, chain: list[str]) -> None:
    user = {"user_id": "newcomer"}
    assert recommended(client, user) == recommended(client, {})
    right = 0
    for place in range(20, 30):
        events = {"events": [{**user, "item_id": chain[place]}]}
        assert client.post("/events", json=events).json()["accepted"] == 1
        found = recommended(client, user)
        assert not set(found) & set(chain[20 : place + 1])
        right += found[0] == chain[place + 1]
    assert right >= 7


def test_users_of_the_data_set_have_their_histories(client: httpx.Client, folder: Path) -> None:
    answer = client.post("/recommend", json={"user_id": "u7"}).json()
    assert (answer["source"], answer["degraded"]) == ("model", False)
    assert answer["model_version"] == ModelBundle.read(folder / "bundle").manifest.model_version
