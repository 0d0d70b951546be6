"""kill -9 under load, and what becomes of the others."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from loadtest.connections import Connections
from loadtest.lines import Lines
from loadtest.open_loop import OpenLoop, Seen
from service.bundle.files import CARDS
from service.workers import IMPORTED
from tests.service.test_main import ROOT, free_port, serving, started_workers

SOON = 3.0
KILLS = 3


def workers(client: httpx.Client) -> set[int]:
    with httpx.Client(base_url=client.base_url, timeout=60) as fresh:
        return {one["pid"] for one in fresh.get("/models").json()["workers"]}


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_only_what_the_dead_one_had_fails_and_another_is_there_within_three_seconds(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    """The first worker has to import everything, its successors nothing: on a machine so busy that they take longer
    than 3 s, they must still be there in half the time that the first one took."""
    log, started = tmp_path / "log", time.monotonic()
    with serving(log, str(tiny_bundle), "--workers", "2") as (client, process):
        started_workers(log, 2)
        first = time.monotonic() - started
        lines, seen, back = asyncio.run(scenario(client.base_url.port or 0))
        assert process.poll() is None
        assert len(started_workers(log, 2 + KILLS)) == 2 + KILLS
    dead = {int(pid) for pid in re.findall(r'"worker": (\d+), "exit_code": -9', log.read_text())}
    assert len(dead) == KILLS
    assert set(lines.broken) <= dead
    assert set(lines.statuses) == {200}
    assert len(seen.seconds) > 100
    assert max(back) < max(SOON, first / 2)
    assert "Traceback" not in log.read_text()


async def scenario(port: int) -> tuple[Lines, Seen, list[float]]:
    back = []
    async with Lines("127.0.0.1", port, 16) as lines:
        request = Connections("127.0.0.1", port).request("/recommend", {"n": 5})
        loop = OpenLoop(100, 100, lambda: lines.send(request))
        running = asyncio.create_task(loop.run())
        for _ in range(KILLS):
            await asyncio.sleep(0.5)
            _, told = await lines.get("/models")
            before = {one["pid"] for one in told["workers"]}
            os.kill(min(before), signal.SIGKILL)
            back.append(await until_another_answers(lines, before))
        loop.stop()
        return lines, await running, back


async def until_another_answers(lines: Lines, before: set[int]) -> float:
    """Seconds; meanwhile whoever answers is ready."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        try:
            assert (await lines.get("/readyz"))[0] == 200
            _, told = await lines.get("/models")
        except OSError:  # the connection had been taken by the one that died
            continue
        if told["answered_by"] not in before:
            return time.monotonic() - started
    pytest.fail("nobody else came")


def test_before_the_fork_all_is_imported_that_starts_no_thread(tiny_bundle: Path) -> None:
    program = (
        "import importlib, os, sys\n"
        f"for name in {IMPORTED}: importlib.import_module(name)\n"
        "before, threads = set(sys.modules), len(os.listdir('/proc/self/task'))\n"
        "from service.server import config_of; from service.settings import read_settings\n"
        "config = config_of('service.app:create_app', read_settings(), workers=2)\n"
        "config.load(); config.loaded_app; config.get_loop_factory()\n"
        "print(threads, sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        # numpy's OpenBLAS has threads of its own, which it ends before every fork and starts again when it multiplies
        env=os.environ | {"REC_BUNDLE": str(tiny_bundle), "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    threads, later = done.stdout.split(maxsplit=1)
    assert threads == "1"
    assert not {"uvicorn", "uvloop", "httptools", "websockets", "service"} & set(ast.literal_eval(later))


def test_who_cannot_start_again_ends_nobody_else_and_is_tried_again(bundle_copy: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log, str(bundle_copy), "--workers", "2") as (client, process):
        first = started_workers(log, 2)
        cards, kept = bundle_copy / f"{CARDS}.bin", tmp_path / "kept"
        shutil.copy(cards, kept)
        cards.write_bytes(b"x")
        os.kill(first[0], signal.SIGKILL)
        until(lambda: log.read_text().count('"exit_code": 3') >= 2)
        for _ in range(20):
            assert workers(client) == {first[1]}
        shutil.copy(kept, cards)
        until(lambda: len(workers(client)) == 2)
        assert process.poll() is None


@contextmanager
def impatient(bundle: Path, folder: Path, hung_after: float) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """The log and the parent of two workers; elsewhere it waits for half a minute."""
    log = folder / "log"
    program = (
        "import service.workers, service.server; from service.settings import Settings;"
        f"service.workers.HUNG_AFTER = {hung_after};"
        f"service.server.run(Settings(), '127.0.0.1', {free_port()}, 2)"
    )
    environment = {"REC_BUNDLE": str(bundle), "REC_REDIS_URL": f"unix://{folder}/none"}
    with log.open("wb") as out:
        command = [sys.executable, "-c", program]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=os.environ | environment)
    try:
        yield log, process
    finally:
        process.kill()
        process.wait()


def test_who_hangs_is_ended_and_replaced(tiny_bundle: Path, tmp_path: Path) -> None:
    with impatient(tiny_bundle, tmp_path, 2) as (log, process):
        hung = started_workers(log, 2)[0]
        os.kill(hung, signal.SIGSTOP)
        until(lambda: f"'worker': {hung}" in log.read_text() or f"worker={hung}" in log.read_text())
        assert len(started_workers(log, 3)) >= 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_who_was_paused_together_with_the_parent_is_not_taken_for_dead(tiny_bundle: Path, tmp_path: Path) -> None:
    """As by `docker pause`, or on a machine far too busy. The parent has asked them when it stops, and is first to go
    on."""
    with impatient(tiny_bundle, tmp_path, 4) as (log, process):
        pids = started_workers(log, 2)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.3)
        process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2)
        assert started_workers(log, 2) == pids
        assert "hangs" not in log.read_text()


def test_without_the_parent_nobody_stays(tiny_bundle: Path, tmp_path: Path) -> None:
    """Else they would keep the port, and nobody would end them."""
    log = tmp_path / "log"
    with serving(log, str(tiny_bundle), "--workers", "2") as (_, process):
        pids = started_workers(log, 2)
        process.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_without_the_process_that_forks_them_all_are_replaced(tiny_bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log, str(tiny_bundle), "--workers", "2") as (client, process):
        pids = started_workers(log, 2)
        os.kill(int(Path(f"/proc/{pids[0]}/stat").read_text().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        assert len(set(started_workers(log, 4))) == 4
        until(lambda: len(workers(client)) == 2)
        assert process.poll() is None


def test_who_cannot_be_forked_is_tried_again(tiny_bundle: Path, tmp_path: Path) -> None:
    """As for a moment when the process that forks has been killed, and cannot be reached any more, yet is there."""
    log = tmp_path / "log"
    with (
        TemporaryDirectory() as short,  # a socket's path has room for 108 characters
        serving(log, str(tiny_bundle), "--workers", "2", TMPDIR=short) as (client, process),
    ):
        first = started_workers(log, 2)
        reached = next(Path(short).glob("pymp-*/listener-*"))
        away = reached.rename(reached.with_name("away"))
        os.kill(first[0], signal.SIGKILL)
        until(lambda: log.read_text().count("a worker could not be forked") >= 2)
        assert workers(client) == {first[1]}
        away.rename(reached)
        until(lambda: len(workers(client)) == 2)
        assert process.poll() is None


def test_where_nobody_can_be_forked_the_service_ends(tiny_bundle: Path, tmp_path: Path) -> None:
    """Else it would keep the port, and nobody would learn of it."""
    far = tmp_path / ("far" * 40)  # no socket's path may be so long
    far.mkdir()
    command = [sys.executable, "-m", "service", "serve", str(tiny_bundle), "--workers", "2", "--port", str(free_port())]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"TMPDIR": str(far), "REC_REDIS_URL": f"unix://{tmp_path}/none"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "AF_UNIX path too long" in done.stderr


def test_where_no_worker_can_start_the_service_ends(tmp_path: Path) -> None:
    program = (
        "import service.server; from service.settings import Settings;"
        f"service.server.run(Settings(), '127.0.0.1', {free_port()}, 2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"REC_BUNDLE": str(tmp_path / "none"), "REC_REDIS_URL": f"unix://{tmp_path}/none"},
    )  # fmt: skip
    assert done.returncode == 3
    assert f"BundleMissing: {tmp_path / 'none'}" in done.stderr
