"""A small trained student and its bundle, made by the real steps, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from export.parity import OnnxStudent
from export.publish import publish
from service.bundle import ModelBundle
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill, load_student
from training.distillation.recipe import DistillConfig
from training.fitting import FitConfig
from training.prepare import PrepareConfig, prepare
from training.sources.synthetic import SyntheticConfig
from training.two_tower import TwoTower

SIZES = {"encoder": {"width": 16, "inner": 24, "layers": 2, "heads": 2, "dropout": 0.1, "max_history": 12}}


def made(folder: Path, users: int, items: int) -> Dataset:
    config = PrepareConfig(
        source="synthetic",
        encoder="hashed-words",
        cache=folder / "cache",
        synthetic=SyntheticConfig(users=users, items=items, max_length=40),
    )
    return prepare(config, folder / "data")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Histories shorter and longer than the student's window; fewer test users than proof histories."""
    return made(tmp_path_factory.mktemp("export"), users=200, items=60)


@pytest.fixture(scope="session")
def run(dataset: Dataset) -> Path:
    """A student's folder beside the data set's."""
    out = dataset.folder.parent / "run"
    recipe = DistillConfig(student=dict(SIZES), fit=FitConfig(epochs=2))
    distill(Assignment("sasrec", "A0", None), dataset, recipe, out)
    return out


@pytest.fixture(scope="session")
def student(run: Path, dataset: Dataset) -> TwoTower:
    return load_student(run, dataset)[0]


@pytest.fixture(scope="session")
def bundle_folder(run: Path) -> Path:
    """The exported bundle: read only."""
    folder = run.parent / "bundle"
    publish(run, None, folder)
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> ModelBundle:
    return ModelBundle.read(bundle_folder)


@pytest.fixture(scope="session")
def graphs(bundle_folder: Path) -> OnnxStudent:
    return OnnxStudent.load(bundle_folder)


@pytest.fixture
def bundle_copy(bundle_folder: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


@pytest.fixture
def other_dataset(tmp_path: Path) -> Dataset:
    return made(tmp_path, users=30, items=20)
