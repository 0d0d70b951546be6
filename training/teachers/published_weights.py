"""Weights out of a checkpoint that somebody else published: tensors alone, whatever else was pickled beside them.

torch's weights-only reader runs nothing but tensor building. Checkpoints of research code often carry a configuration
object too, at which that reader stops; here such an object is read as an inert stand-in and thrown away, so the package
that it came from need neither be trusted nor be installed.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from training.artefacts import ArtefactCorrupt, ArtefactMissing

_DAMAGE = (
    UnpicklingError,
    EOFError,
    OSError,
    RuntimeError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    MemoryError,
    struct.error,
)
"""A damaged pickle is a program that went wrong: it may raise whatever programs raise."""


class _Ignored:
    """Stands for anything that is no tensor: takes all, keeps nothing, runs nothing."""

    def __init__(self, *given: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def read_weights(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file, those under `state_dict` where it has such a part.

    Raises:
        ArtefactMissing: no such file.
        ArtefactCorrupt: truncated, no torch checkpoint, or without named tensors.
    """
    if not path.is_file():
        raise ArtefactMissing(f"{path} is not there")
    try:
        found = _loaded(path)
    except _DAMAGE as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ArtefactCorrupt(f"{path}: no whole checkpoint ({why})") from error
    part = found.get("state_dict", found) if isinstance(found, Mapping) else {}
    named = part.items() if isinstance(part, Mapping) else ()
    tensors = {str(name): one for name, one in named if isinstance(one, Tensor)}
    if not tensors:
        raise ArtefactCorrupt(f"{path}: holds no named tensors")
    return tensors


def _loaded(path: Path) -> object:
    """What torch's reader makes of it. Of another pickle protocol than its own it warns that it may not read it all:
    what it does not read it raises for, and that is told."""
    stand_ins = [(type("Ignored", (_Ignored,), {}), name) for name in get_unsafe_globals_in_checkpoint(path)]
    with warnings.catch_warnings(), safe_globals(stand_ins):  # type: ignore[arg-type]  # (class, name) pairs; the stub is wrong
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        return torch.load(path, map_location="cpu", weights_only=True)
