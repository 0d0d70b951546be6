"""Whether it pays that several recommendations share a run of retrieval: milliseconds of processor time for each.

    python -m benchmarks.batching --out benchmarks/results/batching.json

Every size of catalogue and of batch is measured in turn, in one process, several rounds over. The least of each is
told: what it costs when nothing else on the machine disturbs it. Only ratios are worth quoting. The lists themselves
are compared, too: alone and in every batch they must be the same.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time
from typing import Annotated

import numpy as np
import onnxruntime
import typer

from benchmarks.random_bundle import random_bundle
from service.bundle import ModelBundle
from service.encoder import Encoder
from service.item_vectors import ItemVectors
from service.recommender import Query, Recommender
from service.retrieval import Retrieval
from service.shared_retrieval import SharedRetrieval
from service.timings import Timings

BATCHES = (1, 2, 4, 8, 16, 32)
HISTORY = 30

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    items: Annotated[list[int], typer.Option(help="Sizes of catalogues.")] = [20_000, 50_000, 100_000],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of which the least is told.")] = 9,
) -> None:
    """Measure and write."""
    found = {size: _of_size(size, rounds) for size in items}
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.batching", *sys.argv[1:]]),
        "machine": {"processor": platform.processor() or platform.machine(), "onnxruntime": onnxruntime.__version__},
        "unit": "ms of processor time per recommendation",
        "items": {str(size): ms for size, ms in found.items()},
    }
    out.write_text(json.dumps(told, indent=2) + "\n")
    for size, ms in found.items():
        typer.echo(f"{size:>9,} items: " + ", ".join(f"{name} {value:.3f}" for name, value in ms.items()))


def _of_size(items: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        random_bundle(Path(folder) / "bundle", items)
        bundle = ModelBundle.read(Path(folder) / "bundle")
        graph, encoder = Retrieval(bundle.folder, "cpu", 1), Encoder(bundle.folder, "cpu", 1)
        plain = Recommender(bundle, encoder, graph)
        shared = Recommender(bundle, encoder, SharedRetrieval(graph, ItemVectors(bundle)))
        queries = _queries(items)
        alone = [shared.recommend(query, Timings()) for query in queries]
        cases = {"one by one": _case(plain, queries[:1])}
        for batch in BATCHES:
            assert shared.recommend_many(queries[:batch], [Timings() for _ in range(batch)]) == alone[:batch]
            cases[f"shared by {batch}"] = _case(shared, queries[:batch])
        return least(cases, rounds)


def _queries(items: int) -> list[Query]:
    chosen = np.random.default_rng(0).integers(1, items + 1, (max(BATCHES), HISTORY))
    return [Query([f"item-{k}" for k in row], n=10) for row in chosen.tolist()]


def _case(recommender: Recommender, queries: list[Query]) -> Callable[[], float]:
    def seconds_each() -> float:
        timings = [Timings() for _ in queries]
        started = thread_time()
        recommender.recommend_many(queries, timings)
        return (thread_time() - started) / len(queries)

    return seconds_each


def least(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Milliseconds of each case, which tells its seconds at each call: the least of so many rounds, taken in turn."""
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            seen[name] += [case() for _ in range(5)]
    return {name: round(min(seconds) * 1000, 4) for name, seconds in seen.items()}


if __name__ == "__main__":
    app()
