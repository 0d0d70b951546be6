"""The trial of the containers, as far as it needs no engine: it finds what is wrong, and only that. Its containers are
processes here."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from benchmarks.containers.asking import Felt, Service, Watch, felt
from benchmarks.containers.compose import Compose
from benchmarks.containers.engine import EngineError
from benchmarks.containers.load import Users, while_asked
from benchmarks.containers.truth import DEGRADED, Truth, truth_of
from service.settings import Settings
from tests.service.conftest import Serve
from tests.service.test_main import serving
from tests.service.versions import write_version

PATIENT = {"REC_REDIS_TIMEOUT_MS": "2000", "REC_DRAIN_SECONDS": "8"}
"""Of time there is plenty: the machine may be busy."""
RATE = 10.0


@pytest.fixture(scope="module")
def truth(tiny_bundle: Path, interactions: Path) -> Truth:
    return truth_of([tiny_bundle], interactions, 100)


@pytest.fixture
def service(serve: Serve, seeded_settings: Settings) -> Service:
    port = serve(seeded_settings).base_url.port
    assert port is not None
    return Service(port)


def test_a_service_that_is_right_is_found_right(service: Service, truth: Truth) -> None:
    assert len(truth.histories) > 20
    assert not all(name.isascii() for name in truth.histories)
    assert service.until_ready() < 5
    assert service.wrong_lists(truth) == []


def test_a_list_or_a_history_that_is_not_right_is_found(service: Service, truth: Truth) -> None:
    first, second, *_ = truth.histories
    lists = truth.lists[truth.first]
    exchanged = replace(truth, lists={truth.first: lists | {first: lists[second]}})
    assert service.wrong_lists(exchanged) == ["not the list of its version"]
    reversed_ = replace(truth, histories=truth.histories | {first: truth.histories[first][::-1]})
    assert service.wrong_lists(reversed_) == ["not the history of the file"]
    assert set(service.wrong_lists(replace(truth, lists={"another": lists}))) == {"by another model"}


def test_each_version_has_its_own_lists(tiny_bundle: Path, interactions: Path, tmp_path: Path) -> None:
    other = write_version(tiny_bundle, tmp_path / "other", 1)
    both = truth_of([tiny_bundle, tmp_path / "other"], interactions, 100)
    assert both.second == other
    assert both.lists[both.first] != both.lists[both.second]


def test_what_a_caller_feels_is_told_from_right_to_right() -> None:
    assert felt([(1.0, None), (2.0, None)]) == Felt(2, {}, 0.0)
    gone = [(1.0, None), (2.0, "OSError"), (2.5, None), (3.0, "OSError"), (4.5, None), (5.0, None)]
    assert felt(gone) == Felt(6, {"OSError": 2}, 3.5)
    late = [(1.0, None), (2.0, DEGRADED), (3.0, None)]
    assert felt(late) == Felt(3, {DEGRADED: 1}, 2.0)
    assert felt(late, frozenset({DEGRADED})) == Felt(3, {DEGRADED: 1}, 0.0)


def test_an_outage_is_seen_and_so_is_its_end() -> None:
    wrong = threading.Event()
    with Watch(lambda: "OSError" if wrong.is_set() else None) as watch:
        wrong.set()
        time.sleep(0.5)  # it asks twenty times a second
        wrong.clear()
        watch.until_right()
    told = watch.felt()
    assert told.complaints.keys() == {"OSError"}
    assert 0 < told.seconds < 60


def test_a_process_that_ends_in_order_fails_nobody_behind_a_balancer(
    tiny_bundle: Path, interactions: Path, truth: Truth, tmp_path: Path
) -> None:
    seeds = PATIENT | {"REC_SEED_INTERACTIONS": str(interactions)}
    with serving(tmp_path / "log", str(tiny_bundle), "--workers", "2", **seeds) as (client, process):
        told = while_asked(_port(client), Users(truth, RATE, balanced=True), lambda: _end(process))
        assert process.returncode == 0
    assert told.requests > 10
    assert not told.failed


def test_a_process_that_is_killed_fails_those_who_ask(
    tiny_bundle: Path, interactions: Path, truth: Truth, tmp_path: Path
) -> None:
    seeds = PATIENT | {"REC_SEED_INTERACTIONS": str(interactions)}
    with serving(tmp_path / "log", str(tiny_bundle), **seeds) as (client, process):
        told = while_asked(_port(client), Users(truth, RATE), lambda: _kill(process))
    assert told.failed


def test_nobody_there_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.containers.asking.PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TimeoutError, match="not ready"):
        Service(port).until_ready()


def test_compose_is_asked_by_project_files_and_words(tmp_path: Path) -> None:
    compose = Compose(("echo", "compose"), (tmp_path / "a.yml", tmp_path / "b.yml"), "trial", {"PORT": "1"})
    assert compose.do("up", "--detach") == (
        f"compose --project-name trial --file {tmp_path / 'a.yml'} --file {tmp_path / 'b.yml'} up --detach"
    )
    assert compose.having({"WORKERS": "2"}).settings == {"PORT": "1", "WORKERS": "2"}
    shown = replace(compose, program=("sh", "-c", "echo $PORT $WORKERS", "sh"))
    assert shown.having({"WORKERS": "2"}).do("up") == "1 2"


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    compose = Compose(("sh", "-c", "echo no such service >&2; exit 3", "sh"), (), "trial", {})
    with pytest.raises(EngineError, match="3, no such service"):
        compose.do("up")


def _port(client: httpx.Client) -> int:
    port = client.base_url.port
    assert port is not None
    return port


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)
    time.sleep(1)  # so that somebody asks
