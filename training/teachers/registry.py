"""Teachers by the name that the command line uses: those of this package, and those that other packages bring."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from training.config import ConfigError
from training.teachers.kind import TeacherKind
from training.teachers.recformer.kind import RecformerKind
from training.teachers.unim2rec.kind import UniM2RecKind
from training.teachers.unisrec_kind import UniSRecKind

ENTRY_POINTS = "prm_kd.teachers"
"""An installed package adds a teacher by naming a TeacherKind class in this group of entry points."""
Kinds = dict[str, TeacherKind[Any, Any, Any]]


def known_kinds() -> Kinds:
    """Every teacher by its name."""
    added = (found.load() for found in entry_points(group=ENTRY_POINTS))
    return {kind.name: kind() for kind in (UniSRecKind, RecformerKind, UniM2RecKind, *added)}


def teacher_kind(name: str, kinds: Kinds | None = None) -> TeacherKind[Any, Any, Any]:
    """Look a teacher up.

    Raises:
        ConfigError: no teacher has this name; the known ones are listed.
    """
    known = known_kinds() if kinds is None else kinds
    if name not in known:
        raise ConfigError(f"no teacher is called {name!r}; known: {', '.join(sorted(known))}")
    return known[name]
