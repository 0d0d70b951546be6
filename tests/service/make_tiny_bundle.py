"""Build `tests/service/data/tiny_bundle`, a whole bundle small enough to commit, and beside it interactions and a
re-ranker that some tests put into it.

Run by hand where onnx is installed: `python tests/service/make_tiny_bundle.py`. The service's tests read its output, so
that they need neither onnx nor torch.
"""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from service.bundle import BundleDraft, Golden, ItemCard, ItemCatalog, PackedStrings, seal

L, D, OPSET, SEED, GOLDEN_ROWS, GOLDEN_K = 10, 8, 18, 7, 12, 20
DATA = Path(__file__).parent / "data"
SHELVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Science fiction": (
        "Orbit House",
        (
            "The Quiet Airlock", "Seven Suns of Maro", "Paper Satellites", "A Clock for Europa",
            "The Last Cartographer",
            "Gravity Well", "Tin Horizon", "Letters from the Array", "Cold Start", "The Ninth Antenna",
        ),
    ),
    "Crime": (
        "Harbour Street",
        (
            "The Ledger", "Fog at Pier Nine", "A Reliable Witness", "Two Keys", "The Glass Alibi",
            "Night Ferry", "Inspector Amsel", "Dead Letter Office", "The Third Receipt", "Salt and Evidence",
        ),
    ),
    "Cooking": (
        "Copper Pan",
        (
            "Bread, Slowly", "The Onion Book", "Forty Soups", "Salt & Smoke", "A Table for Six",
            "The Pickle Year", "Rice at Midnight", "Butter <b>Boldly</b>", "One Pot, Four Seasons", "The Lemon Shelf",
        ),
    ),
    "Travel": (
        "Long Road",
        (
            "Trains of the North", "Islands without Cars", "The Ferry Atlas", "Walking the Dry Line", "Night Buses",
            "Maps for Rain", "A Winter in Tallinn", "The Border Inn", "Slow Rivers", "Passes and Passports",
        ),
    ),
    "Music": (
        "Blue Needle",
        (
            "The Cello Repairer", "Vinyl Summer", "Counterpoint at Home", "Brass on Sunday", "The Tuning Fork",
            "Songs from the Kiln", "A Short Guide to Echo", "Drums in the Attic", "Night Choir", "The Missing Bar",
        ),
    ),
    "Gardening": (
        "Green Thumb Press",
        (
            "The Patient Orchard", "Moss", "Seeds by Post", "A Hedge for Birds", "Compost and Company",
            "The Balcony Farm", "Roses, Honestly", "Wild Corners", "The Water Butt", "Frost Dates",
        ),
    ),
}  # fmt: skip
ODD_IDS = {7: "book 7/8?&{x}", 23: "книга-23", 41: "📗-41"}
USERS = ("ada", "grace", "mika", "noor", "{brace}", "sofía", "🦉", *(f"reader-{k}" for k in range(1, 34)))


def main() -> None:
    """Write the bundle and its interactions."""
    folder = DATA / "tiny_bundle"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    vectors, shelf_of = item_vectors(rng)
    catalog = ItemCatalog.from_ids(ODD_IDS.get(k, f"book-{k:02d}") for k in range(1, len(vectors) + 1))
    catalog.write(folder)
    PackedStrings.pack(card.to_json() for card in cards()).write(folder, "item_cards")
    write_encoder(folder / "encoder.onnx", vectors)
    write_retrieval(folder, vectors)
    rows = interactions(rng, catalog, shelf_of)
    write_interactions(DATA / "interactions.csv.gz", rows)
    counts = np.bincount([catalog.index(item) or 0 for _, item, _ in rows], minlength=len(catalog) + 1)[1:]
    np.save(folder / "popular.npy", (np.argsort(-counts, kind="stable") + 1).astype(np.int32))
    golden(folder, rng, len(catalog)).write(folder / "golden.npz")
    seal(folder, draft(catalog, vectors.size))
    write_reranker(DATA / "rerank.onnx")


def item_vectors(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """One direction per shelf and some noise: float32[N, D], and the shelf int64[N] of each item."""
    shelf_of = np.repeat(np.arange(len(SHELVES)), 10)
    centres = np.linalg.qr(rng.normal(size=(D, D)))[0][: len(SHELVES)]
    vectors = centres[shelf_of] * 1.5 + rng.normal(scale=0.35, size=(len(shelf_of), D))  # [N, D]
    return vectors.astype(np.float32), shelf_of


def cards() -> list[ItemCard]:
    """What is shown of each item."""
    return [
        ItemCard(title=title, brand=brand, categories=("Books", shelf))
        for shelf, (brand, titles) in SHELVES.items()
        for title in titles
    ]


def write_encoder(path: Path, vectors: NDArray[np.float32]) -> None:
    """The mean of the vectors of the items in a history; zeros for an empty one."""
    table = np.concatenate([np.zeros((1, D), np.float32), vectors])  # [N+1, D]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array(0, np.int64), "pad"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "history"], ["embedded"]),
        helper.make_node("ReduceSum", ["embedded", "axis"], ["total"], keepdims=0),
        helper.make_node("Equal", ["history", "pad"], ["is_pad"]),
        helper.make_node("Not", ["is_pad"], ["is_item"]),
        helper.make_node("Cast", ["is_item"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Max", ["count", "one"], ["divisor"]),
        helper.make_node("Div", ["total", "divisor"], ["user"]),
    ]
    inputs = [helper.make_tensor_value_info("history", TensorProto.INT64, ["B", L])]
    outputs = [helper.make_tensor_value_info("user", TensorProto.FLOAT, ["B", D])]
    save(path, helper.make_graph(nodes, "encoder", inputs, outputs, constants))


def write_retrieval(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Score every item and keep the best n; the vectors lie beside the graph."""
    (folder / "item_vectors.bin").write_bytes(vectors.tobytes())
    table = TensorProto(name="vectors", data_type=TensorProto.FLOAT, dims=vectors.shape)
    table.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "item_vectors.bin", "offset": "0", "length": str(vectors.nbytes)}.items():
        table.external_data.add(key=key, value=value)
    nodes = [
        helper.make_node("Gemm", ["user", "vectors"], ["all_scores"], transB=1),
        helper.make_node("TopK", ["all_scores", "n"], ["scores", "rows"]),
        helper.make_node("Add", ["rows", "first"], ["items"]),
    ]
    inputs = [
        helper.make_tensor_value_info("user", TensorProto.FLOAT, ["B", D]),
        helper.make_tensor_value_info("n", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "K"]),
        helper.make_tensor_value_info("items", TensorProto.INT64, ["B", "K"]),
    ]
    constants = [table, numpy_helper.from_array(np.array(1, np.int64), "first")]
    save(folder / "retrieval.onnx", helper.make_graph(nodes, "retrieval", inputs, outputs, constants))


def write_reranker(path: Path) -> None:
    """Score = (7 * candidate + newest item of the history) mod 61: no two of the 60 items score alike."""
    constants = [
        numpy_helper.from_array(np.array(7, np.int64), "factor"),
        numpy_helper.from_array(np.array(61, np.int64), "prime"),
        numpy_helper.from_array(np.array([L - 1], np.int64), "last"),
    ]
    nodes = [
        helper.make_node("Gather", ["history", "last"], ["newest"], axis=1),
        helper.make_node("Mul", ["candidates", "factor"], ["times"]),
        helper.make_node("Add", ["times", "newest"], ["sum"]),
        helper.make_node("Mod", ["sum", "prime"], ["rest"]),
        helper.make_node("Cast", ["rest"], ["scores"], to=TensorProto.FLOAT),
    ]
    inputs = [
        helper.make_tensor_value_info("history", TensorProto.INT64, ["B", L]),
        helper.make_tensor_value_info("candidates", TensorProto.INT64, ["B", "C"]),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "C"])]
    save(path, helper.make_graph(nodes, "rerank", inputs, outputs, constants))


def save(path: Path, graph: onnx.GraphProto) -> None:
    """Write a graph with the oldest IR version that knows the opset, so that older runtimes read it."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))


def golden(folder: Path, rng: np.random.Generator, size: int) -> Golden:
    """Histories of every length from 0 to L and what the written graphs answer."""
    history = np.zeros((GOLDEN_ROWS, L), np.int64)  # [G, L]
    for row in range(1, GOLDEN_ROWS):
        length = min(row, L)
        history[row, -length:] = rng.integers(1, size + 1, size=length)
    encoder = ort.InferenceSession(folder / "encoder.onnx", providers=["CPUExecutionProvider"])
    retrieval = ort.InferenceSession(folder / "retrieval.onnx", providers=["CPUExecutionProvider"])
    user = encoder.run(["user"], {"history": history})[0]  # [G, D]
    inputs = {"user": user, "n": np.array([GOLDEN_K], np.int64)}
    scores, items = retrieval.run(["scores", "items"], inputs)  # [G, K]
    return Golden(history=history, user=user, items=items, scores=scores)


def interactions(
    rng: np.random.Generator, catalog: ItemCatalog, shelf_of: NDArray[np.int64]
) -> list[tuple[str, str, int]]:
    """Readers who mostly stay on two shelves: (user, item, time), sorted by user and time."""
    rows: list[tuple[str, str, int]] = []
    for user in USERS:
        liked = rng.choice(len(SHELVES), size=2, replace=False)
        weights = np.where(np.isin(shelf_of, liked), 8.0, 1.0)
        size = int(rng.integers(4, 14))
        items = rng.choice(len(catalog), size=size, replace=False, p=weights / weights.sum())
        times = 1_700_000_000 + np.sort(rng.integers(0, 30_000_000, size=size))
        rows.extend((user, catalog.item_id(int(i) + 1), int(t)) for i, t in zip(items, times, strict=True))
    return rows


def write_interactions(path: Path, rows: list[tuple[str, str, int]]) -> None:
    """Write a csv.gz whose bytes depend on the rows alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user_id", "item_id", "timestamp"])
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def draft(catalog: ItemCatalog, parameters: int) -> BundleDraft:
    """The manifest of a bundle that no training made: it says so."""
    nothing = sha256(b"{}").hexdigest()
    made = {"name": "hand-made", "fingerprint": nothing, "split": "none", "split_fingerprint": nothing}
    return BundleDraft.model_validate(
        {
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "catalog": {"size": len(catalog), "fingerprint": catalog.fingerprint},
            "encoder": {"max_history": L, "width": D, "opset": OPSET},
            "retrieval": {"recall": 1.0},
            "student": {
                "name": "tiny", "row": "A0", "seed": SEED, "parameters": parameters,
                "config": {}, "config_hash": nothing,
            },
            "teachers": (),
            "data": made,
            "offline_metrics": {},
            "parity": {"histories": GOLDEN_ROWS, "max_abs_diff": 0.0, "tolerance": 1e-4, "top_n_overlap": 1.0},
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
