"""What decision 14 rests on: products, attention, dropout's coins and EASE in torch's ways and ours, on one thread.

python -m benchmarks.arithmetic
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from time import perf_counter

import torch
from torch.nn.functional import dropout, scaled_dot_product_attention

from training.arithmetic import step_products, tune_processor
from training.dropout import Dropout
from training.teachers.sparse_product import sparse_product

ROWS, WIDTH, ITEMS = 2048, 64, 4385
LINED = 4400
"""Items with rows of nothing behind them, so that every row of logits begins on a cache line."""
HISTORIES, HEADS, LENGTH = 512, 2, 50
REPEATS = 30


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some repeats."""
    seconds = []
    for _ in range(REPEATS):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return min(seconds)


def gflops(count: int = ITEMS) -> float:
    """Of a step's product of users and items."""
    users, items = torch.randn(ROWS, WIDTH), torch.randn(count, WIDTH)  # [R, D], [N, D]
    out = torch.empty(ROWS, count)  # [R, N]
    return 2 * ROWS * WIDTH * count / best(lambda: torch.mm(users, items.T, out=out)) / 1e9


def attention_ms() -> dict[str, float]:
    """Of one layer over histories that validation asks about, by torch's kernel and by products and a softmax."""
    split = torch.randn(HISTORIES, LENGTH, 3, HEADS, WIDTH // HEADS)  # [B, L, 3, H, D/H]
    query, key, value = split.permute(2, 0, 3, 1, 4)  # each [B, H, L, D/H], as a layer has them
    blocked = torch.full((HISTORIES, 1, LENGTH, LENGTH), -1e9).triu(1)  # [B, 1, L, L]

    def plain() -> torch.Tensor:
        logits = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5 + blocked  # [B, H, L, L]
        return torch.matmul(logits.softmax(dim=-1), value)  # [B, H, L, D/H]

    found = {
        "attention_ms_torch": best(lambda: scaled_dot_product_attention(query, key, value, blocked)),
        "attention_ms": best(plain),
    }
    return {name: 1000 * seconds for name, seconds in found.items()}


def ease_ms() -> dict[str, float]:
    """Of histories with 6, 45 and 300 items, times EASE's matrix: whole, and by the rows met, together or apart."""
    matrix = torch.randn(ITEMS, ITEMS)  # [N, N]
    apart = matrix.T.contiguous().T  # [N, N]
    every = torch.ones(HISTORIES, ITEMS)  # [B, N]
    found = {"ease_ms_dense": best(lambda: every @ matrix)}
    for met in (6, 45, 300):
        few = torch.zeros(HISTORIES, ITEMS)  # [B, N]
        few.scatter_(1, torch.rand(HISTORIES, ITEMS).topk(met, dim=1).indices, torch.rand(HISTORIES, met))  # [B, N]
        found[f"ease_{met}_ms_rows"] = best(partial(sparse_product, few, matrix))
        if met < ITEMS // 50:  # rows of many items apart take seconds
            found[f"ease_{met}_ms_rows_apart"] = best(partial(sparse_product, few, apart))
    return {name: 1000 * seconds for name, seconds in found.items()}


def main() -> None:
    """Print one JSON object."""
    torch.set_num_threads(1)
    found = {"gflops_default": gflops()}
    tune_processor()
    values, coins = torch.randn(ROWS, 50, WIDTH), Dropout(0.3)
    with step_products():
        found |= {"gflops_tuned": gflops(), "gflops_tuned_lined": gflops(LINED), "coins": values.numel()}
    found |= {
        "dropout_ms_torch": 1000 * best(lambda: dropout(values, 0.3)),
        "dropout_ms": 1000 * best(lambda: coins(values)),
    }
    found |= attention_ms() | ease_ms()
    with step_products():
        found |= {f"{name}_step": value for name, value in attention_ms().items()}
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
