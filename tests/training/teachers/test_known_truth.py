"""Behaviour drawn so that only one kind of content can foretell it: the teacher that reads that kind must win clearly.

Everywhere the next item lies in the cluster after the last one's with probability .8. Clusters hold 10 of 80 items: a
model that knows the clusters has recall@10 = .8 + .2 / 8 at best, and one that knows nothing 1 / 8.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.evaluation.evaluate import load_model
from training.evaluation.metrics import recall
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.fitting import FitConfig
from training.prepare import PrepareConfig, prepare
from training.teachers.finetuning import CatalogueFinetuneConfig
from training.teachers.kind import TeacherRecipe
from training.teachers.recformer.config import RecformerConfig
from training.teachers.recformer.finetuning import RecformerFinetuneConfig
from training.teachers.recformer.kind import RecformerRecipe
from training.teachers.registry import teacher_kind
from training.teachers.steps import finetune
from training.teachers.unim2rec.kind import UniM2RecRecipe
from training.teachers.unim2rec.unim2rec import UniM2RecConfig
from training.teachers.unisrec import UniSRecConfig
from training.teachers.unisrec_kind import UniSRecRecipe

USERS, ITEMS, CLUSTERS, STRENGTH = 300, 80, 8, 0.8
SIZE = ITEMS // CLUSTERS
CLUSTER = np.arange(ITEMS) // SIZE
CHANCE = SIZE / ITEMS
BEST = STRENGTH + (1 - STRENGTH) * CHANCE
ENCODER = CausalEncoderConfig(width=32, inner=64, layers=1, heads=2, dropout=0.1, max_history=8)
FIT = FitConfig(epochs=12, patience=12, learning_rate=3e-3, rows_per_batch=128, device="cpu")

CAUSAL = CatalogueFinetuneConfig(fit=FIT)
RECIPES: dict[str, TeacherRecipe] = {
    "unisrec": UniSRecRecipe(model=UniSRecConfig(encoder=ENCODER, experts=2), finetune=CAUSAL),
    "unim2rec": UniM2RecRecipe(model=UniM2RecConfig(encoder=ENCODER, experts=2), finetune=CAUSAL),
    "recformer": RecformerRecipe(
        model=RecformerConfig(backbone="none", max_items=3, max_tokens=48),
        finetune=RecformerFinetuneConfig(
            fit=FIT.model_copy(update={"learning_rate": 2e-3, "rows_per_batch": 64}), second_epochs=6
        ),
    ),
}


@dataclass(frozen=True)
class Shape:
    """What tells an item's cluster, and what does not."""

    words: bool = False
    """False: words that mean nothing."""
    pictures: bool = False
    """False: there are none."""
    missing: float = 0
    """Share of the items without words, and of those without picture, each drawn by itself."""
    cold: float = 0
    """Share of the items that only end a history: no train part holds them."""
    seed: int = 0


def drawn(root: Path, shape: Shape) -> Dataset:
    """A data set of that shape, through the same door as anybody's."""
    rng = np.random.default_rng(shape.seed)
    source = root / "source"
    (source / "images").mkdir(parents=True)
    _write_histories(source / "interactions.csv", shape, rng)
    _write_items(source, shape, rng)
    config = PrepareConfig(
        source="local", path=source, encoder="hashed-words", image_encoder="mean-colours", cache=root / "cache"
    )
    return prepare(config, root / "data", Console(file=io.StringIO()))


def _write_histories(path: Path, shape: Shape, rng: np.random.Generator) -> None:
    warm = rng.permutation(ITEMS) >= round(shape.cold * ITEMS)  # [ITEMS]
    lines = ["user_id,item_id,timestamp"]
    for user in range(USERS):
        item, length = int(rng.choice(np.flatnonzero(warm))), int(rng.integers(5, 17))
        for step in range(length):
            lines.append(f"u{user},i{item},{1_600_000_000 + 3600 * step}")
            cluster = (CLUSTER[item] + 1) % CLUSTERS
            fits = np.isin(CLUSTER, cluster) | (rng.random() >= STRENGTH)  # [ITEMS]
            item = int(rng.choice(np.flatnonzero(fits & (warm | (step == length - 2)))))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_items(folder: Path, shape: Shape, rng: np.random.Generator) -> None:
    palette = rng.integers(0, 256, (CLUSTERS, 4, 4, 3))
    lines = []
    for number, cluster in enumerate(CLUSTER):
        noise = [f"n{word}" for word in rng.integers(0, 10_000, 3)]
        words = [f"kind{cluster}", f"maker{cluster}", f"name{number}"] if shape.words else noise
        worded, pictured = rng.random(2) >= shape.missing
        item: dict[str, object] = {"item_id": f"i{number}"}
        if worded:
            item |= {"title": " ".join(words), "brand": words[1], "categories": [words[0]]}
        if pictured and shape.pictures:
            item["image"] = f"images/{number}.png"
            pixels = np.kron(palette[cluster], np.ones((8, 8, 1))) + rng.normal(0, 20, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{number}.png")
        lines.append(json.dumps(item))
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def taught(kind: str, dataset: Dataset, out: Path) -> NDArray[np.float64]:
    """The ranks of the test targets by a teacher that reads content and no ids."""
    finetune(teacher_kind(kind), dataset, RECIPES[kind], out)
    return ranks(dataset, out)


def by_ids(dataset: Dataset, out: Path) -> NDArray[np.float64]:
    """The ranks by the student alone, which reads nothing but ids."""
    recipe = DistillConfig(student={"encoder": ENCODER.model_dump()}, fit=FIT)
    distill(Assignment("sasrec", "A0", None), dataset, recipe, out)
    return ranks(dataset, out)


def ranks(dataset: Dataset, folder: Path) -> NDArray[np.float64]:
    scorer = TwoTowerScorer.of(load_model(folder, dataset))
    return target_ranks(scorer, dataset.interactions, dataset.split.test, "unmasked")


def cold(dataset: Dataset) -> NDArray[np.bool_]:
    """Which test targets no train part holds."""
    interactions = dataset.interactions
    position = np.arange(len(interactions)) - interactions.offsets[interactions.user]
    trained = np.unique(interactions.item[position < dataset.split.train_end[interactions.user]])
    return ~np.isin(interactions.item[dataset.split.test.row], trained)


def test_where_only_pictures_tell_the_teacher_that_sees_wins(tmp_path: Path) -> None:
    dataset = drawn(tmp_path, Shape(pictures=True))
    seen = recall(taught("unim2rec", dataset, tmp_path / "unim2rec"), SIZE)
    read = recall(taught("unisrec", dataset, tmp_path / "unisrec"), SIZE)
    assert seen > (BEST + CHANCE) / 2
    assert seen > read + 0.2
    assert seen < BEST + 0.1


def test_items_never_met_are_known_by_their_words_and_not_by_their_ids(tmp_path: Path) -> None:
    """Among twice a cluster's size: what training met of the right cluster may well stand before what it never met."""
    dataset = drawn(tmp_path, Shape(words=True, cold=0.25))
    new = cold(dataset)
    assert new.sum() > 30
    assert recall(by_ids(dataset, tmp_path / "sasrec")[new], 2 * SIZE) < 2 * CHANCE
    for kind in ("unisrec", "recformer"):
        assert recall(taught(kind, dataset, tmp_path / kind)[new], 2 * SIZE) > 2 * CHANCE + 0.1, kind


def test_missing_modalities_cost_what_they_must_and_little_more(tmp_path: Path) -> None:
    """An item lacks both with probability m^2: then nothing tells it from others that lack both.

    At best a target with content is found as before. At worst only where the last item has content, too.
    """
    found = {}
    for missing in (0.0, 0.3, 0.6):
        dataset = drawn(tmp_path / str(missing), Shape(words=True, pictures=True, missing=missing))
        assert dataset.image is not None
        known = (dataset.text.present | dataset.image.present)[1:].mean()
        found[missing] = recall(taught("unim2rec", dataset, tmp_path / f"m{missing}"), SIZE)
        assert 0.8 * STRENGTH * known**2 < found[missing] < BEST * known + 2 * CHANCE * (1 - known) + 0.05
    assert found[0.0] > found[0.3] > found[0.6]
