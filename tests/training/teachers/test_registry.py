from __future__ import annotations

from pathlib import Path

import pytest

from training.config import ConfigError
from training.teachers.registry import ENTRY_POINTS, known_kinds, teacher_kind
from training.teachers.unisrec_kind import UniSRecKind


def test_every_kind_is_known_by_its_own_name() -> None:
    kinds = known_kinds()
    assert set(kinds) >= {"unisrec", "recformer", "unim2rec"}
    assert all(kind.name == name for name, kind in kinds.items())
    assert all(kind.recipe() == kind.recipe.from_toml(None) for kind in kinds.values())  # every recipe has defaults


def test_an_unknown_teacher_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ConfigError, match="no teacher is called 'bert'; known: recformer, unim2rec, unisrec"):
        teacher_kind("bert")
    with pytest.raises(ConfigError, match="no teacher is called 'unisrec'; known: mine"):
        teacher_kind("unisrec", {"mine": UniSRecKind()})


def test_an_installed_package_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module, and what pip would write beside it."""
    (tmp_path / "their_teacher.py").write_text(
        "from training.teachers.unisrec_kind import UniSRecKind\n\n\nclass Theirs(UniSRecKind):\n    name = 'theirs'\n"
    )
    about = tmp_path / "their_teacher-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-teacher\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\ntheirs = their_teacher:Theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert teacher_kind("theirs").name == "theirs"
    assert "unisrec" in known_kinds()
