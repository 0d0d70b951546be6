"""Versions of the tiny bundle that anybody can tell apart by their answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np

from service.bundle import BundleDraft, Golden, ModelBundle, seal
from service.bundle.files import GOLDEN, ITEM_VECTORS, POPULAR
from service.models.opening import open_model
from service.recommender import Query
from service.retrieval import Retrieval
from service.settings import Settings
from service.timings import Timings

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def write_version(tiny: Path, folder: Path, number: int) -> str:
    """The tiny bundle with its item vectors and its popularity list moved on by `number` places, and twice as long
    vectors for each: other items, other scores, a later export. Its model version."""
    shutil.copytree(tiny, folder)
    bundle = ModelBundle.read(folder)
    vectors = np.fromfile(folder / ITEM_VECTORS, np.float32).reshape(len(bundle.catalog), -1)  # [N, D]
    (np.roll(vectors, number, axis=0) * np.float32(2**number)).tofile(folder / ITEM_VECTORS)
    np.save(folder / POPULAR, np.roll(bundle.popular, number))
    scores, items = Retrieval(folder, "cpu", 1).best(bundle.golden.user, bundle.golden.items.shape[1])  # [G, K]
    replace(bundle.golden, scores=scores, items=items).write(folder / GOLDEN)
    return reseal(folder, created_at=FIRST + timedelta(days=number))


def reseal(folder: Path, **changed: object) -> str:
    """Make the hashes true again. Its model version."""
    stated = json.loads((folder / "manifest.json").read_text())
    draft = {key: value for key, value in stated.items() if key not in {"model_version", "files"}}
    return seal(folder, BundleDraft.model_validate(draft | changed)).model_version


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / ITEM_VECTORS).read_bytes())
    content[99] ^= 1
    (folder / ITEM_VECTORS).write_bytes(content)


def cut_a_file(folder: Path) -> None:
    path = folder / "encoder.onnx"
    path.write_bytes(path.read_bytes()[:-1])


def claim_another_schema(folder: Path) -> None:
    text = json.dumps(json.loads((folder / "manifest.json").read_text()) | {"schema_version": 99})
    (folder / "manifest.json").write_text(text)
    (folder / "manifest.sha256").write_text(sha256(text.encode()).hexdigest() + "\n")


def spoil_the_golden_answers(folder: Path) -> None:
    golden = Golden.read(folder / GOLDEN)
    replace(golden, user=golden.user + 1).write(folder / GOLDEN)
    reseal(folder)


def lose_a_file(folder: Path) -> None:
    (folder / ITEM_VECTORS).unlink()


DAMAGES: dict[Callable[[Path], None], str] = {
    flip_a_byte: "item_vectors.bin",
    cut_a_file: "encoder.onnx",
    claim_another_schema: "schema_version is 99",
    spoil_the_golden_answers: "not the user vector",
    lose_a_file: "item_vectors.bin is not there",
}
"""What may be wrong with a bundle, and what is then said."""

Answer = list[tuple[str, float]]


def answers_of(folder: Path, histories: Sequence[Sequence[str]], n: int) -> list[Answer]:
    """What the version in a folder answers to histories: item ids and scores."""
    recommender = open_model(Settings(bundle=folder)).recommender
    found = [recommender.recommend(Query(history, n), Timings()) for history in histories]
    return [list(zip(one.item_ids, one.scores, strict=True)) for one in found]


def is_of(version: Answer, found: Answer) -> bool:
    """Whether an answer is that of a version: its items in its order with its scores, whatever else shared the run."""
    return [item for item, _ in found] == [item for item, _ in version] and np.allclose(
        [score for _, score in found], [score for _, score in version], rtol=1e-5
    )
