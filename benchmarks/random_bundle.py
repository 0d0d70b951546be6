"""A bundle of any size whose SASRec student was never trained, to measure what size costs.

    python -m benchmarks.random_bundle FOLDER --items 100000

Its manifest says that nothing was learnt. What a run of its graphs costs does not depend on that; how well an
approximate search would do does, so no recall is worth quoting from it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from export.graphs import OPSET, write_encoder, write_retrieval
from export.parity import TOLERANCE, TOP, OnnxStudent
from service.bundle import PAD, BundleDraft, Golden, ItemCard, ItemCatalog, Manifest, PackedStrings, seal
from service.bundle.files import CARDS, ENCODER, GOLDEN, POPULAR
from training.students.sasrec import SASRec, SASRecConfig

GOLDEN_ROWS = 8
SHELVES = 20

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="Where the bundle goes; must not exist.")],
    items: Annotated[int, typer.Option(min=1, help="Items of the catalogue.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Another one gives another model of the same catalogue.")] = 0,
) -> None:
    """Write the bundle."""
    typer.echo(random_bundle(folder, items, seed).model_version)


def random_bundle(folder: Path, items: int, seed: int = 0) -> Manifest:
    """Write a bundle of N = `items` items: random vectors of norm about 1, cards on 20 shelves, popularity by index."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    student = SASRec(SASRecConfig(), items).eval()
    with torch.no_grad():
        student.items.weight.mul_(1 / (0.02 * student.items.weight.shape[1] ** 0.5))
    catalog = ItemCatalog.from_ids(f"item-{k}" for k in range(1, items + 1))
    catalog.write(folder)
    cards = (ItemCard(title=f"Item {k}", categories=(f"shelf-{k % SHELVES}",)) for k in range(1, items + 1))
    PackedStrings.pack(card.to_json() for card in cards).write(folder, CARDS)
    np.save(folder / POPULAR, np.arange(1, items + 1, dtype=np.int32))
    write_encoder(student, folder / ENCODER)
    write_retrieval(student.item_matrix().detach().numpy()[PAD + 1 :], folder)
    _golden(folder, random_histories(GOLDEN_ROWS, student.max_history, items)).write(folder / GOLDEN)
    return seal(folder, _draft(student, catalog))


def random_histories(rows: int, length: int, items: int, seed: int = 0) -> NDArray[np.int64]:
    """int64[rows, L], left-padded, of every length."""
    rng = np.random.default_rng(seed)
    history = np.full((rows, length), PAD, np.int64)  # [rows, L]
    for row in range(rows):
        kept = int(rng.integers(1, length + 1))
        history[row, length - kept :] = rng.integers(1, items + 1, kept)
    return history


def _golden(folder: Path, history: NDArray[np.int64]) -> Golden:
    graphs = OnnxStudent.load(folder)
    user = graphs.encode(history)  # [G, D]
    scores, items = graphs.top(user, TOP)  # [G, K] each
    return Golden(history=history, user=user, items=items, scores=scores)


def _draft(student: SASRec, catalog: ItemCatalog) -> BundleDraft:
    nothing = sha256(b"{}").hexdigest()
    return BundleDraft.model_validate(
        {
            "created_at": datetime.now(UTC),
            "catalog": {"size": len(catalog), "fingerprint": catalog.fingerprint},
            "encoder": {"max_history": student.max_history, "width": student.items.weight.shape[1], "opset": OPSET},
            "retrieval": {"recall": 1.0},
            "student": {
                "name": "untrained", "row": "A0", "seed": 0, "config": {}, "config_hash": nothing,
                "parameters": sum(one.numel() for one in student.parameters()),
            },
            "teachers": (),
            "data": {"name": "none", "fingerprint": nothing, "split": "none", "split_fingerprint": nothing},
            "offline_metrics": {},
            "parity": {
                "histories": GOLDEN_ROWS, "max_abs_diff": 0.0, "tolerance": TOLERANCE, "top_n_overlap": 1.0,
            },
        }
    )  # fmt: skip


if __name__ == "__main__":
    app()
