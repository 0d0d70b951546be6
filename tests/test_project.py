"""What the project says of itself in several places is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from training.config import Config
from training.distillation.recipe import DistillConfig
from training.study.config import StudyConfig
from training.study.search import SearchConfig
from training.teachers.registry import teacher_kind
from training.teachers.unisrec_kind import UniSRecRecipe

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 300


def _pyproject() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    headings = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    assert headings[0] == _pyproject()["project"]["version"]


def test_the_licence_is_the_one_that_is_named() -> None:
    assert _pyproject()["project"]["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence


def test_every_dependency_has_an_exact_version_in_the_constraints() -> None:
    project = _pyproject()["project"]
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(project["dependencies"], list)
    named = [*project["dependencies"], *(one for name, extra in extras.items() if name != "gpu" for one in extra)]
    wanted = {_normal(re.split(r"[\[<>=]", one)[0]) for one in named}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert wanted <= {_normal(line.split("==")[0]) for line in lines if "==" in line}


def test_no_code_file_is_longer_than_the_house_allows() -> None:
    rooms = ("service", "training", "export", "tests", "loadtest", "benchmarks", "examples")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert {str(path): n for path in files if (n := len(path.read_text("utf-8").splitlines())) >= LONGEST_FILE} == {}


def test_the_configs_of_make_serve_are_read_without_complaint() -> None:
    folder = ROOT / "configs" / "movielens-100k"
    assert UniSRecRecipe.from_toml(folder / "teacher.toml") != UniSRecRecipe()
    assert DistillConfig.from_toml(folder / "student.toml") != DistillConfig()


TEACHER_RECIPES = sorted((ROOT / "configs" / "teachers").rglob("*.toml"))


@pytest.mark.parametrize("path", TEACHER_RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recipes_of_the_teachers_are_read_without_complaint(path: Path) -> None:
    recipe = teacher_kind(path.stem.split("-")[0]).recipe
    assert recipe.from_toml(path) != recipe()


STUDIES = ROOT / "configs" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.rglob("*.toml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_recipes_of_the_studies_are_read_without_complaint(path: Path) -> None:
    kinds: dict[str, type[Config]] = {"search": SearchConfig, "study": StudyConfig}
    found = kinds.get(path.stem.split("-")[0], DistillConfig).from_toml(path)
    if isinstance(found, SearchConfig):
        assert [found.recipe(point) for point in found.points()]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
