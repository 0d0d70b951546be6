"""What the options of a recommendation cost beside a plain one: milliseconds of processor time for each.

    python -m benchmarks.options --out benchmarks/results/options.json

All are measured in turn, in one process, several rounds over, on a catalogue of 20 categories of equal size. The least
of each is told: what it costs when nothing else on the machine disturbs it. Only ratios are worth quoting.
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

from benchmarks.batching import HISTORY, least
from benchmarks.random_bundle import SHELVES, random_bundle
from service.bundle import ModelBundle
from service.filters import Filters
from service.item_index import ItemIndex
from service.models.opening import open_model
from service.recommender import Asked, Query
from service.settings import Settings
from service.similar import SimilarTo
from service.timings import Timings

ASKED = 8
"""Users that each option is asked for."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    out: Annotated[Path, typer.Option(help="JSON with what was measured.")],
    items: Annotated[list[int], typer.Option(help="Sizes of catalogues.")] = [20_000, 100_000],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of which the least is told.")] = 9,
) -> None:
    """Measure and write."""
    found = {size: _of_size(size, rounds) for size in items}
    told = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.options", *sys.argv[1:]]),
        "machine": {"processor": platform.processor() or platform.machine(), "onnxruntime": onnxruntime.__version__},
        "unit": "ms of processor time per answer; per opened bundle where the name begins with `open`",
        "items": {str(size): ms for size, ms in found.items()},
    }
    out.write_text(json.dumps(told, indent=2) + "\n")
    for size, ms in found.items():
        for name, value in ms.items():
            typer.echo(f"{size:>9,} items, {name:<26} {value:>9.3f} ms  {value / ms['plain']:>6.2f} x plain")


def _of_size(items: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        random_bundle(Path(folder) / "bundle", items)
        model = open_model(Settings(bundle=Path(folder) / "bundle"))

        def case(queries: list[Asked]) -> Callable[[], float]:
            def seconds_each() -> float:
                started = thread_time()
                for query in queries:
                    model.recommender.recommend(query, Timings())
                return (thread_time() - started) / len(queries)

            return seconds_each

        cases = {name: case(queries) for name, queries in _asked(items).items()}
        return least(cases | {"open: index of the cards": lambda: _seconds_to_index(model.bundle)}, rounds)


def _asked(items: int) -> dict[str, list[Asked]]:
    """What is measured, by name."""
    histories = np.random.default_rng(0).integers(1, items + 1, (ASKED, HISTORY)).tolist()
    ids = [[f"item-{k}" for k in row] for row in histories]
    one, most = Filters(categories_any=["shelf-3"]), Filters(categories_none=["shelf-3"])
    eight = Filters(categories_any=[f"shelf-{k}" for k in range(8)])
    return {
        "plain": [Query(history, 10) for history in ids],
        f"only 1 category of {SHELVES}": [Query(history, 10, filters=one) for history in ids],
        f"only 8 categories of {SHELVES}": [Query(history, 10, filters=eight) for history in ids],
        f"not 1 category of {SHELVES}": [Query(history, 10, filters=most) for history in ids],
        "diversity, n = 10": [Query(history, 10, diversity=0.5) for history in ids],
        "diversity, n = 100": [Query(history, 100, diversity=0.5) for history in ids],
        "explain, n = 10": [Query(history, 10, explain=True) for history in ids],
        "similar items": [SimilarTo(row[0], 10) for row in histories],
    }


def _seconds_to_index(bundle: ModelBundle) -> float:
    started = thread_time()
    ItemIndex.of(bundle)
    return thread_time() - started


if __name__ == "__main__":
    app()
