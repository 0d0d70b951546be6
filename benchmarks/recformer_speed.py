"""What Recformer costs on this machine, and whether bf16 pays here: tokens a second, in training and in reading.

    python -m benchmarks.recformer_speed --items FILE [--config TOML]

FILE is an items.jsonl.gz of a source or of a prepared data set. Histories are drawn at random from its items.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from torch import nn

from training.items import read_items
from training.teachers.recformer.kind import RecformerRecipe
from training.teachers.recformer.recformer import Recformer
from training.teachers.recformer.sentences import TokenBatch

_HOPELESS = 5
"""So much slower, bf16 is not tried on the model: on a processor without instructions for it, that takes hours."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    items: Annotated[Path, typer.Option(help="items.jsonl.gz")],
    config: Annotated[Path | None, typer.Option(help="A recipe of Recformer; its [model] counts.")] = None,
    rows: Annotated[int, typer.Option(help="Histories of a batch.", min=1)] = 64,
    repeats: Annotated[int, typer.Option(help="Passes of which the median is told.", min=1)] = 5,
) -> None:
    """Measure one batch."""
    sizes, catalogue = RecformerRecipe.from_toml(config).model, read_items(items)
    typer.echo(
        f"{torch.get_num_threads()} thread(s); {sizes.backbone}, {sizes.layers or 'all'} layers, {sizes.pooling}"
    )
    slower = bf16_slowdown(width=384)
    typer.echo(f"one bf16 product takes {slower:.1f} times as long as in fp32")
    for precision in ("fp32", "bf16") if slower < _HOPELESS else ("fp32",):
        model = Recformer(sizes.model_copy(update={"precision": precision}), catalogue)
        model.embeddings.words.requires_grad_(requires_grad=False)
        history = np.random.default_rng(0).integers(1, len(catalogue) + 1, (rows, model.max_history))  # [B, L]
        batch = model.sequences(history)
        read = _seconds(_reading(model.eval(), batch), repeats)
        learn = _seconds(_learning(model.train(), batch), repeats)
        tokens = int(batch.present.sum())
        typer.echo(f"{precision}: {tokens / learn:,.0f} tokens/s in training, {tokens / read:,.0f} in reading")


def bf16_slowdown(width: int) -> float:
    """Seconds of a matrix product of 64 tokens in bf16 over those in fp32."""

    def product(dtype: torch.dtype) -> Callable[[], object]:
        tokens, weights = torch.randn(64, width).to(dtype), torch.randn(width, width).to(dtype)  # [64, D], [D, D]
        return lambda: nn.functional.linear(tokens, weights)

    return _seconds(product(torch.bfloat16), 3) / _seconds(product(torch.float32), 3)


def _reading(model: Recformer, batch: TokenBatch) -> Callable[[], None]:
    def once() -> None:
        with torch.no_grad():
            model.vectors(batch)

    return once


def _learning(model: Recformer, batch: TokenBatch) -> Callable[[], None]:
    learnt: list[nn.Parameter] = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(learnt, lr=1e-6)

    def once() -> None:
        optimizer.zero_grad()
        model.vectors(batch)[:, 0].sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return once


def _seconds(once: Callable[[], object], repeats: int) -> float:
    """Median of some passes, after one that is not counted."""
    once()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        once()
        taken.append(time.perf_counter() - started)
    return median(taken)


if __name__ == "__main__":
    app()
