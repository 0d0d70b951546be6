"""What a recommendation costs on the processor and on a GPU, as the service runs it, and whether both say the same.

    python -m benchmarks.devices --out FILE

Bundles are random ones of several sizes, made anew or, with --bundles, taken from a folder of folders named by size.
Every device opens the bundle as the service does. Then, in turns of one run each: a history is encoded; the best items
for a user vector are retrieved; a whole recommendation is made alone, as one request is; and a batch of them, as they
are run when a batch was sent or many wait. With no GPU that works, the processor is measured, and what is missing told.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer

from service.bundle import ModelBundle
from service.devices import Device, missing_for_cuda
from service.encoder import Encoder
from service.models.opening import Model, open_model
from service.recommender import Query, Recommendation
from service.settings import Settings
from service.shared_retrieval import retrieval_of
from service.timings import Timings

BATCH = 32
HISTORY = 30
TOP = 20
FEWEST_TURNS = 10

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
Runs = dict[str, Callable[[], object]]


@app.command()
def measure(
    out: Annotated[Path, typer.Option(help="JSON with what was measured; written anew after every size.")],
    items: Annotated[list[int], typer.Option(help="Sizes of catalogues.")] = [10_000, 100_000, 1_000_000],  # noqa: B006
    seconds: Annotated[float, typer.Option(min=0.01, help="Of turns, for each size.")] = 10.0,
    bundles: Annotated[Path | None, typer.Option(help="Folder with a bundle for each size, named by it.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Inside a run on the processor: REC_MODEL_THREADS.")] = 1,
) -> None:
    """Measure and write."""
    missing = missing_for_cuda()
    devices: list[Device] = ["cpu"] if missing else ["cpu", "cuda"]
    told: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.devices", *sys.argv[1:]]),
        "machine": _machine() | {"threads": threads, "missing_for_cuda": missing},
        "unit": f"ms of wall clock; batch: {BATCH} recommendations; history {HISTORY}, best {TOP}",
        "items": {},
    }
    for size in items:
        with tempfile.TemporaryDirectory() as folder:
            bundle = _bundle(Path(folder), size) if bundles is None else bundles / str(size)
            told["items"][str(size)] = found = compare(bundle, devices, threads, seconds)
        out.write_text(json.dumps(told, indent=2) + "\n")
        typer.echo(f"{size:>9,} items: {json.dumps(found)}")
    if missing:
        typer.echo(f"only the processor: {missing}")


def compare(bundle: Path, devices: list[Device], threads: int, seconds: float) -> dict[str, Any]:
    """Times for each device, and where there are two, ratios and how far their lists are the same."""
    started = perf_counter()
    models = {one: open_model(Settings(bundle=bundle, device=one, model_threads=threads)) for one in devices}
    told: dict[str, Any] = {"open_seconds": round(perf_counter() - started, 1)}
    queries = _queries(next(iter(models.values())).bundle)
    lists = {one: _answers(model, queries) for one, model in models.items()}
    taken = _in_turns({one: _runs(model, one, queries, threads) for one, model in models.items()}, seconds)
    told |= {one: {name: _summary(ms) for name, ms in runs.items()} for one, runs in taken.items()}
    if "cuda" in models:
        told["cpu_ms_by_cuda_ms"] = {
            name: round(float(np.median(taken["cpu"][name]) / np.median(taken["cuda"][name])), 2)
            for name in taken["cpu"]
        }
        told["same"] = agreement(lists["cpu"], lists["cuda"])
    return told


def agreement(one: list[Recommendation], other: list[Recommendation]) -> dict[str, float]:
    """Share of items that both lists of a query have, share of lists equal in order, largest difference of scores."""
    shared = [len(set(a.item_ids) & set(b.item_ids)) / len(a.item_ids) for a, b in zip(one, other, strict=True)]
    equal = [a.item_ids == b.item_ids for a, b in zip(one, other, strict=True)]
    apart = [np.abs(np.subtract(a.scores, b.scores)).max() for a, b in zip(one, other, strict=True)]
    return {
        "overlap": round(float(np.mean(shared)), 4),
        "equal_lists": round(float(np.mean(equal)), 4),
        "largest_score_difference": float(max(apart)),
    }


def _in_turns(runs: dict[Device, Runs], seconds: float) -> dict[Device, dict[str, list[float]]]:
    """Milliseconds of every run, in turns over devices, so that what disturbs the machine disturbs all."""
    taken: dict[Device, dict[str, list[float]]] = {one: {name: [] for name in named} for one, named in runs.items()}
    until = perf_counter() + seconds
    turns = 0
    while turns < FEWEST_TURNS or perf_counter() < until:
        for one, named in runs.items():
            for name, run in named.items():
                started = perf_counter()
                run()
                taken[one][name].append(1000 * (perf_counter() - started))
        turns += 1
    return taken


def _runs(model: Model, device: Device, queries: list[Query], threads: int) -> Runs:
    encoder = Encoder(model.bundle.folder, device, threads)
    retrieval = retrieval_of(model.bundle, device, threads)
    history = np.tile(model.bundle.golden.history[:1], (BATCH, 1))  # [B, L]
    user = encoder.encode(history[:1])  # [1, D]
    alone, many = model.recommender, queries[:BATCH]
    return {
        "encode 1": lambda: encoder.encode(history[:1]),
        f"encode {BATCH}": lambda: encoder.encode(history),
        "retrieve 1": lambda: retrieval.best(user, TOP),
        "recommend 1": lambda: alone.recommend(queries[0], Timings()),
        f"recommend {BATCH}": lambda: alone.recommend_many(many, [Timings() for _ in many]),
    }


def _answers(model: Model, queries: list[Query]) -> list[Recommendation]:
    return [model.recommender.recommend(query, Timings()) for query in queries]


def _queries(bundle: ModelBundle) -> list[Query]:
    chosen = np.random.default_rng(0).integers(1, len(bundle.catalog) + 1, (2 * BATCH, HISTORY))
    return [Query([bundle.catalog.item_id(k) for k in row], n=TOP) for row in chosen.tolist()]


def _summary(ms: list[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(ms)), 3), "p99": round(float(np.percentile(ms, 99)), 3), "runs": len(ms),
    }  # fmt: skip


def _bundle(folder: Path, items: int) -> Path:
    from benchmarks.random_bundle import random_bundle  # needs torch, which bundles that are ready do not

    random_bundle(folder / "bundle", items)
    return folder / "bundle"


def _machine() -> dict[str, Any]:
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        gpu = ""
    cpu = [line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return {
        "processor": cpu[0].partition(": ")[2] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": gpu or None,
        "onnxruntime": onnxruntime.__version__,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    app()
