"""The documentation names only commands, flags, files and targets that exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from export.__main__ import export
from service.__main__ import cli
from training.commands import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)
COMMAND = re.compile(r"python -m (training|export|service)(?: +([a-z][a-z-]*))?([^\n`]*)")
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _alone(function: Callable[..., None]) -> typer.Typer:
    """A program of one command, as `typer.run` makes it."""
    made = typer.Typer()
    made.command()(function)
    return made


PROGRAMS = {
    "training": typer.main.get_command(app),
    "service": typer.main.get_command(cli),
    "export": typer.main.get_command(_alone(export)),
}


def _code(page: Path) -> str:
    """What stands in code blocks and code spans, a command that is broken over lines made one line."""
    return "\n".join(CODE.findall(page.read_text("utf-8"))).replace("\\\n", " ")


def _flags(module: str, step: str) -> set[str]:
    """What a command takes.

    Raises:
        KeyError: it has no such step.
    """
    command = PROGRAMS[module]
    if isinstance(command, TyperGroup):
        command = command.commands[step]
    return {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)} | {"--help"}


@by_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", _code(page))) <= targets


@by_page
def test_every_command_and_flag_that_is_named_exists(page: Path) -> None:
    for module, step, rest in COMMAND.findall(_code(page)):
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest))
        assert named <= (_flags(module, step) if step else named), f"python -m {module} {step}"


@by_page
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [one for one in links if "://" not in one and not (page.parent / one).exists()]
    assert missing == []


@by_page
def test_no_config_that_is_named_is_missing(page: Path) -> None:
    named = re.findall(r"\bconfigs/[\w./-]+", _code(page))
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_make_help_lists_every_target_that_the_readme_names() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^  make ([a-z-]+) ", shown.stdout, re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", _code(ROOT / "README.md"))) <= listed
