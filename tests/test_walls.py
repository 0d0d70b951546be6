"""Which room may know which: import-linter's contracts hold, and they would notice if they did not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("service", "training", "export")
LINT = Path(sys.executable).with_name("lint-imports")


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=project, capture_output=True, text=True, timeout=120, check=False)


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("service/recommender.py", "import torch", "the service stands alone"),
        ("service/state.py", "import training.arrays", "the service stands alone"),
        ("service/bundle/catalog.py", "import redis", "the contract between offline and online"),
        ("service/client/calls.py", "import service.wire", "who calls the service"),
        ("training/arrays.py", "import export.errors", "training knows the contract"),
    ],
)
def test_a_hole_in_a_wall_is_found(tmp_path: Path, file: str, line: str, broken: str) -> None:
    """On a copy of the rooms with one import too many; deep inside, as it would happen."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    _, told = done.stdout.split("Broken contracts")
    assert broken in told


def imports(room: str) -> Iterator[tuple[str, str]]:
    """(module of a room, module that it imports), from within and without."""
    graph = grimp.build_graph(*ROOMS, include_external_packages=True, cache_dir=None)
    for module in sorted(graph.find_descendants(room) | {room}):
        yield from ((module, imported) for imported in sorted(graph.find_modules_directly_imported_by(module)))


@pytest.mark.parametrize("room", ["training", "export"])
def test_offline_rooms_know_only_the_bundle_of_the_service(room: str) -> None:
    """Not said by a contract, which cannot forbid a room but for one part of it."""
    found = {pair for pair in imports(room) if pair[1].split(".")[0] == "service"}
    assert found
    assert {pair for pair in found if not pair[1].startswith("service.bundle")} == set()


def test_the_bundle_needs_the_standard_library_numpy_and_pydantic() -> None:
    """Whatever else there may be to import: a contract can only name what it forbids."""
    allowed = sys.stdlib_module_names | {"numpy", "pydantic"}
    found = {pair for pair in imports("service.bundle") if not pair[1].startswith("service.bundle")}
    assert found
    assert {pair for pair in found if pair[1].split(".")[0] not in allowed} == set()


def test_the_client_needs_the_standard_library_httpx_and_pydantic_and_the_service_does_not_need_it() -> None:
    """Beside itself: the folder may be copied into another program."""
    allowed = sys.stdlib_module_names | {"httpx", "pydantic"}
    inside = {pair for pair in imports("service") if pair[0].startswith("service.client")}
    assert {imported for _, imported in inside if not imported.startswith("service.client")} <= allowed
    assert {pair for pair in imports("service") if pair[1].startswith("service.client")} <= inside


def test_a_copy_of_the_client_works_where_there_is_no_service(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "service" / "client", tmp_path / "recommend_client")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from recommend_client import Client, NoAnswer, calls\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'service']\n"
        "try: Client('http://127.0.0.1:1').send(calls.livez())\n"
        "except NoAnswer: print('told')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "told\n", done.stderr
