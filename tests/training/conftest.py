"""Small real things for the model side: prepared data sets, fitted teachers, and what they leave behind."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from training.causal_encoder import CausalEncoderConfig
from training.dataset import Dataset
from training.fitting import FitConfig
from training.knowledge import gather
from training.prepare import PrepareConfig, prepare
from training.sources.synthetic import SyntheticConfig
from training.teachers.finetuning import CatalogueFinetuneConfig
from training.teachers.steps import finetune, load_teacher
from training.teachers.unisrec import UniSRecConfig
from training.teachers.unisrec_kind import UniSRecKind, UniSRecRecipe
from training.teachers.unisrec_pretraining import UniSRecPretrainConfig


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would cost more than they bring at these sizes, and would make sums depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_encoder() -> CausalEncoderConfig:
    """Histories of the data sets below are longer than L = 8, so that windows are cut."""
    return CausalEncoderConfig(width=16, inner=32, layers=1, heads=2, dropout=0.1, max_history=8)


@pytest.fixture(scope="session")
def teacher_recipe(small_encoder: CausalEncoderConfig) -> UniSRecRecipe:
    fit = FitConfig(epochs=4, learning_rate=1e-2, rows_per_batch=512, device="cpu")
    return UniSRecRecipe(
        model=UniSRecConfig(encoder=small_encoder, experts=2, text_width=64),
        pretrain=UniSRecPretrainConfig(fit=fit.model_copy(update={"epochs": 2})),
        finetune=CatalogueFinetuneConfig(fit=fit),
    )


@pytest.fixture(scope="session")
def markov(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The next item is the successor of the last with probability .8: a model can know it, popularity cannot."""
    return _synthetic(tmp_path_factory.mktemp("markov"), SyntheticConfig(users=300, items=40, clusters=5))


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The next item is any item: nobody can know it."""
    return _synthetic(
        tmp_path_factory.mktemp("noise"), SyntheticConfig(users=300, items=40, clusters=5, strength=0, seed=1)
    )


@pytest.fixture(scope="session")
def text_teacher(markov: Dataset, teacher_recipe: UniSRecRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """UniSRec T, fitted to `markov`."""
    out = tmp_path_factory.mktemp("teacher") / "T"
    finetune(UniSRecKind(), markov, teacher_recipe, out)
    return out


@pytest.fixture(scope="session")
def id_teacher(markov: Dataset, teacher_recipe: UniSRecRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """UniSRec T+ID, fitted to `markov`."""
    out = tmp_path_factory.mktemp("teacher") / "T+ID"
    model = teacher_recipe.model.model_copy(update={"item_ids": True})
    finetune(UniSRecKind(), markov, teacher_recipe.model_copy(update={"model": model}), out)
    return out


@pytest.fixture(scope="session")
def both_known(markov: Dataset, text_teacher: Path, id_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge of both teachers."""
    out = tmp_path_factory.mktemp("knowledge") / "both"
    gather(markov, [load_teacher(one, markov) for one in (text_teacher, id_teacher)], out)
    return out


def _synthetic(root: Path, shape: SyntheticConfig) -> Dataset:
    config = PrepareConfig(source="synthetic", encoder="hashed-words", synthetic=shape, cache=root / "cache")
    return prepare(config, root / "data", Console(file=io.StringIO()))
