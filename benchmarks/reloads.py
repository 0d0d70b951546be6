"""Fifty models one after the other while requests come in: who notices?

    python -m benchmarks.reloads MODELS --out reloads.json

Starts a service of its own on a folder of at least two bundles, sends recommendations at a fixed rate, and meanwhile
activates one version after the other, with a pause between, and rolls back now and then. Every answer is compared with
what the version that it names gives when it is opened alone. Ends with exit code 1 when one is another, when a request
failed or when an activation did.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import onnxruntime
import typer

from benchmarks.running_service import running_service
from loadtest.connections import Connections
from loadtest.open_loop import OpenLoop, Seen, percentiles
from service.models.folders import ModelFolders
from service.models.opening import open_model
from service.recommender import Query
from service.settings import Settings
from service.timings import Timings

HISTORIES, LONGEST, N = 50, 30, 20
MOST_AT_ONCE = 64
"""As many as the service has permits."""
CLOSE = 1e-4
"""Scores may differ in their last digits."""
ROLLBACK_EVERY = 10
Answers = dict[str, list[list[tuple[str, float]]]]

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """What is done to the service."""

    rate: float
    reloads: int
    pause: float
    quiet: float


@app.command()
def measure(
    models: Annotated[Path, typer.Argument(help="Folder of at least two bundles with one catalogue.")],
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    rate: Annotated[float, typer.Option(min=1, help="Requests per second.")] = 300,
    reloads: Annotated[int, typer.Option(min=1, help="Activations.")] = 50,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two activations.")] = 1,
    quiet: Annotated[float, typer.Option(min=0, help="Seconds of the same load before, without reloads.")] = 10,
) -> None:
    """Reload, and write what was seen."""
    histories, expected = _expected(models)
    key = secrets.token_urlsafe(32)
    settings = {"REC_ADMIN_KEY_SHA256": sha256(key.encode()).hexdigest()}
    with running_service(models, settings=settings) as (port, process):
        told = asyncio.run(_scenario(port, process.pid, key, (histories, expected), Plan(rate, reloads, pause, quiet)))
    told = _circumstances(models) | told
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(told, indent=2))
    raise typer.Exit(1 if told["failed"] or told["failed_activations"] else 0)


def _expected(models: Path) -> tuple[list[list[str]], Answers]:
    """Histories, and what each version answers to them alone."""
    histories: list[list[str]] = []
    expected: Answers = {}
    for found in ModelFolders(models).found():
        model = open_model(Settings(bundle=found.folder))
        histories = histories or _histories(list(model.bundle.catalog))
        lists = [model.recommender.recommend(Query(history, N), Timings()) for history in histories]
        expected[model.version] = [list(zip(one.item_ids, one.scores, strict=True)) for one in lists]
    if len(expected) < 2:
        raise typer.BadParameter(f"{models} holds {len(expected)} versions, two are needed")
    return histories, expected


def _histories(item_ids: list[str]) -> list[list[str]]:
    draw = random.Random(0)
    return [draw.sample(item_ids, draw.randint(1, min(LONGEST, len(item_ids)))) for _ in range(HISTORIES)]


async def _scenario(
    port: int, pid: int, key: str, asked: tuple[list[list[str]], Answers], plan: Plan
) -> dict[str, Any]:
    async with Connections("127.0.0.1", port) as connections:
        await _until_it_answers(connections)
        admin = Admin(connections, key, list(asked[1]))
        for _ in asked[1]:  # every version once, so that what is measured is not the first time
            await admin.activate_next()
        quiet = await _quiet(connections, asked, plan)
        loop = OpenLoop(plan.rate, MOST_AT_ONCE, Asker(connections, *asked).ask)
        running = asyncio.create_task(loop.run())
        memory = [_memory(pid)]
        admin.forget()
        for turn in range(1, plan.reloads + 1):
            await (admin.roll_back() if turn % ROLLBACK_EVERY == 0 else admin.activate_next())
            await asyncio.sleep(plan.pause)
            memory.append(_memory(pid))
        loop.stop()
        return _told(plan, quiet, await running, admin, memory)


async def _until_it_answers(connections: Connections) -> None:
    for _ in range(600):
        try:
            await connections.post("/recommend", {})
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError("the service did not start within a minute")


async def _quiet(connections: Connections, asked: tuple[list[list[str]], Answers], plan: Plan) -> Seen:
    """The same load without a reload, to compare with."""
    loop = OpenLoop(plan.rate, MOST_AT_ONCE, Asker(connections, *asked).ask)
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(plan.quiet)
    loop.stop()
    return await running


class Asker:
    """Asks for one history after the other, and looks at the answers."""

    def __init__(self, connections: Connections, histories: list[list[str]], expected: Answers) -> None:
        self._connections = connections
        self._histories = histories
        self._expected = expected
        self._turn = 0

    async def ask(self) -> str | None:
        """What is wrong with the answer."""
        self._turn += 1
        which = self._turn % len(self._histories)
        try:
            status, body = await self._connections.post("/recommend", {"history": self._histories[which], "n": N})
        except OSError as error:
            return type(error).__name__
        if status != 200:
            return f"{status} {body.get('error')}"
        return None if self._is_right(body, which) else f"not the answer of {body['model_version']}"

    def _is_right(self, body: dict[str, Any], which: int) -> bool:
        expected = self._expected[body["model_version"]][which]
        found = [(item["item_id"], item["score"]) for item in body["items"]]
        return [item for item, _ in found] == [item for item, _ in expected] and all(
            abs(score - right) <= CLOSE * max(1, abs(right))
            for (_, score), (_, right) in zip(found, expected, strict=True)
        )


class Admin:
    """Activates one version after the other, and rolls back."""

    def __init__(self, connections: Connections, key: str, versions: list[str]) -> None:
        self._connections = connections
        self._headers = {"Authorization": f"Bearer {key}"}
        self._versions = versions
        self._turn = 0
        self.forget()

    def forget(self) -> None:
        """What was measured until now does not count."""
        self.activations: list[float] = []
        self.rollbacks: list[float] = []
        self.failed: list[str] = []

    async def activate_next(self) -> None:
        self._turn += 1
        version = self._versions[self._turn % len(self._versions)]
        self.activations.append(await self._post(f"/admin/models/{version}/activate"))

    async def roll_back(self) -> None:
        self.rollbacks.append(await self._post("/admin/rollback"))

    async def _post(self, path: str) -> float:
        started = perf_counter()
        status, body = await self._connections.post(path, {}, **self._headers)
        if status != 200:
            self.failed.append(f"{status} {body}")
        return perf_counter() - started


def _memory(pid: int) -> dict[str, float]:
    """MB: resident, and of that private to the process (the rest are pages of files, shared and reclaimable)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"rss": kilobytes["Rss"] / 1024, "private": private / 1024}


def _told(plan: Plan, quiet: Seen, seen: Seen, admin: Admin, memory: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "rate": plan.rate,
        "activations": len(admin.activations),
        "rollbacks": len(admin.rollbacks),
        "failed_activations": admin.failed,
        "requests": len(seen.seconds) + len(seen.complaints),
        "failed": len(seen.complaints),
        "failures": sorted(set(seen.complaints))[:5],
        "dropped_by_the_loader": seen.dropped,
        "ms_while_reloading": percentiles(seen.seconds),
        "ms_without_reloads": percentiles(quiet.seconds),
        "loader_lag_ms": percentiles(seen.lags),
        "activation_ms": percentiles(admin.activations),
        "rollback_ms": percentiles(admin.rollbacks),
        "memory_mb": {name: _drift([one[name] for one in memory]) for name in ("rss", "private")},
    }


def _drift(megabytes: list[float]) -> dict[str, float]:
    """From the mean of the second tenth, when the allocator has settled, to that of the last tenth."""
    tenth = max(1, len(megabytes) // 10)
    early = sum(megabytes[tenth : 2 * tenth]) / tenth
    late = sum(megabytes[-tenth:]) / tenth
    return {
        "first": round(megabytes[0], 1),
        "early": round(early, 1),
        "late": round(late, 1),
        "most": round(max(megabytes), 1),
        "drift_percent": round(100 * (late / early - 1), 2),
    }


def _circumstances(models: Path) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.reloads", *sys.argv[1:]]),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": os.getloadavg()},
        "versions": {"python": platform.python_version(), "onnxruntime": onnxruntime.__version__},
        "items": [one.manifest.catalog.size for one in ModelFolders(models).found() if one.manifest is not None],
    }


if __name__ == "__main__":
    app()
