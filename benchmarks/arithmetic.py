"""What decision 14 rests on: products by torch's two libraries, and dropout's coins, on one thread of this machine.

python -m benchmarks.arithmetic
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

import torch
from torch.nn.functional import dropout

from training.arithmetic import tune_processor
from training.dropout import Dropout

ROWS, WIDTH, ITEMS = 2048, 64, 4385
REPEATS = 30


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some repeats."""
    seconds = []
    for _ in range(REPEATS):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return min(seconds)


def gflops() -> float:
    """Of a step's product of users and items."""
    users, items, out = torch.randn(ROWS, WIDTH), torch.randn(ITEMS, WIDTH), torch.empty(ROWS, ITEMS)
    return 2 * ROWS * WIDTH * ITEMS / best(lambda: torch.mm(users, items.T, out=out)) / 1e9


def main() -> None:
    """Print one JSON object."""
    torch.set_num_threads(1)
    found = {"gflops_default": gflops()}
    tune_processor()
    values, coins = torch.randn(ROWS, 50, WIDTH), Dropout(0.3)
    found |= {"gflops_tuned": gflops(), "coins": values.numel()}
    found |= {
        "dropout_ms_torch": 1000 * best(lambda: dropout(values, 0.3)),
        "dropout_ms": 1000 * best(lambda: coins(values)),
    }
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
