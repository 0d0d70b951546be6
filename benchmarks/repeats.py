"""What the offset on what was seen brings over HTTP, and what a request costs with it.

    python -m benchmarks.repeats RUN --data DATA --users 1000 --out benchmarks/results/repeats.json

A student is exported and served twice by one service: with its offset, and without, as bundles were before there was
one. Each user is asked for in both ways, in turns, with all that they did before their test item as the history and
`exclude_seen: false`; and once with what was seen left out. NDCG@10 of the lists stands beside what is measured
offline on the same users. What is worth quoting of the times are ratios: milliseconds are those of this machine and of
what else it did.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import numpy as np
import typer

from benchmarks.running_service import running_service
from export.publish import publish
from service.bundle import BundleDraft, Manifest, seal
from training.dataset import Dataset
from training.distillation.distill import load_student
from training.evaluation.metrics import Ranks, ndcg
from training.evaluation.ranking import target_ranks
from training.evaluation.repeat_offset import repeat_aware_ranks
from training.evaluation.scoring import scorer_of
from training.evaluation.selection import evenly
from training.splits import EvaluationRows

AT = 10
LONGEST = 1000
"""Items of a history that a request may have; the newest count."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@dataclass
class Way:
    """One way of asking, and what came back."""

    name: str
    model: str
    exclude_seen: bool
    ranks: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    model_ms: list[float] = field(default_factory=list)
    """Of each request the stages behind the queue."""

    def ask(self, client: httpx.Client, history: Sequence[str], target: str) -> None:
        """One user."""
        asked = {"history": history, "n": AT, "exclude_seen": self.exclude_seen, "model": self.model}
        began = time.perf_counter()
        answer = client.post("/recommend", json=asked).raise_for_status()
        self.seconds.append(time.perf_counter() - began)
        stages = (part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
        self.model_ms.append(sum(float(ms) for name, ms in stages if name != "queue"))
        places = {item["item_id"]: float(item["rank"]) for item in answer.json()["items"]}
        self.ranks.append(places.get(target, np.inf))


@app.command()
def measure(
    run: Annotated[Path, typer.Argument(help="Folder of a trained student.")],
    data: Annotated[Path, typer.Option(help="The data set it was trained on.")],
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    users: Annotated[int, typer.Option(min=1, help="Test users, evenly taken.")] = 1000,
) -> None:
    """Measure and write."""
    dataset = Dataset.read(data)
    rows = evenly(dataset.split.test, users)
    with TemporaryDirectory() as folder:
        with_it = publish(run, data, Path(folder) / "models" / "with").manifest
        without = _without(Path(folder) / "models", with_it)
        ways = [
            Way("with", with_it.model_version, exclude_seen=False),
            Way("without", without, exclude_seen=False),
            Way("left out", with_it.model_version, exclude_seen=True),
        ]
        variants = f"with={with_it.model_version}:50,without={without}:50"
        with running_service(Path(folder) / "models", 1, {"REC_VARIANTS": variants}) as (port, _):
            _ask_all(ways, f"http://127.0.0.1:{port}", dataset, rows)
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.repeats", *sys.argv[1:]]),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": os.getloadavg()},
        "model": with_it.model_version,
        "repeat_offset": with_it.repeat_offset,
        "users": len(rows),
        "offline": _offline(run, dataset, rows, with_it.repeat_offset or 0.0),
        "served": {way.name: _told(way, ways[1]) for way in ways},
    }
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(told, indent=2))


def _without(models: Path, manifest: Manifest) -> str:
    """The version of the same bundle as it was before there was an offset."""
    folder = Path(shutil.copytree(models / "with", models / "without"))
    stated = manifest.model_dump(exclude={"model_version", "files", "repeat_offset"})
    return seal(folder, BundleDraft.model_validate(stated)).model_version


def _ask_all(ways: list[Way], address: str, dataset: Dataset, rows: EvaluationRows) -> None:
    interactions, ids = dataset.interactions, list(dataset.catalog)
    with httpx.Client(base_url=address, timeout=20) as client:
        _until_it_answers(client)
        for at, row in enumerate(rows.row):
            before = interactions.item[interactions.offsets[interactions.user[row]] : row]  # [H]
            history = [ids[item - 1] for item in before[-LONGEST:].tolist()]
            turn = at % len(ways)
            for way in ways[turn:] + ways[:turn]:
                way.ask(client, history, ids[int(interactions.item[row]) - 1])


def _until_it_answers(client: httpx.Client) -> None:
    for _ in range(1200):
        try:
            client.get("/readyz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the service did not start")


def _offline(run: Path, dataset: Dataset, rows: EvaluationRows, offset: float) -> dict[str, float]:
    """NDCG@10 of the same users by the student itself, without a service."""
    scorer = scorer_of(load_student(run, dataset)[0].served())
    found: dict[str, Ranks] = {
        "with": repeat_aware_ranks(scorer, dataset.interactions, rows, offset),
        "without": target_ranks(scorer, dataset.interactions, rows, "unmasked"),
    }
    return {name: ndcg(ranks, AT) for name, ranks in found.items()}


def _told(way: Way, base: Way) -> dict[str, float]:
    return {
        "ndcg@10": ndcg(np.array(way.ranks), AT),
        "p50_ms": median(way.seconds) * 1000,
        "of_the_model_p50_ms": median(way.model_ms),
        "to_without": median(way.seconds) / median(base.seconds),
        "of_the_model_to_without": median(way.model_ms) / median(base.model_ms),
    }


if __name__ == "__main__":
    app()
