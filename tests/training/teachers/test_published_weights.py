"""A checkpoint is read for its tensors; nothing in it is run, and nothing that it names need be installed."""

from __future__ import annotations

import builtins
import enum
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactMissing
from training.teachers.published_weights import read_weights

TENSORS = {"layer.weight": torch.arange(6.0).view(2, 3), "layer.bias": torch.ones(2), "steps": torch.tensor(7)}


class Payload:
    """Unpickled the ordinary way, it calls what it was given."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


@pytest.fixture
def foreign() -> Iterator[ModuleType]:
    """A package that is there while the checkpoint is written, and gone when it is read."""
    module = ModuleType("foreign_recommender")
    source = """
class Kind(enum.Enum):
    SEQUENTIAL = 4

class Config:
    def __init__(self):
        self.final = {"n_layers": 2, "kind": Kind.SEQUENTIAL, "device": torch.device("cpu"), "names": {"a", "b"}}
        self.made_by = functools.partial(int, base=2)
        self.reader, self.itself = Config, self

class Slotted:
    __slots__ = ("value",)
"""
    module.__dict__.update(enum=enum, torch=torch, functools=functools)
    exec(source, module.__dict__)  # noqa: S102 - classes of a module that can be taken away again
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return list(found) == list(wanted) and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("part", [False, True], ids=["bare", "under state_dict"])
def test_plain_tensors_are_read_as_they_are(tmp_path: Path, part: bool) -> None:  # noqa: FBT001
    content = {"state_dict": TENSORS, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}} if part else TENSORS
    assert same(read_weights(saved(tmp_path / "model.pth", content)), TENSORS)


def test_what_is_no_tensor_is_left_behind(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pth", {"state_dict": {**TENSORS, "version": 2, "note": "hello"}})
    assert same(read_weights(path), TENSORS)


def test_objects_of_a_package_that_is_not_there_stand_beside_the_tensors(tmp_path: Path, foreign: ModuleType) -> None:
    slotted = foreign.Slotted()
    slotted.value = foreign.Config()
    path = saved(
        tmp_path / "model.pth", {"config": foreign.Config(), "more": [slotted], "state_dict": TENSORS, "epoch": 1}
    )
    del sys.modules[foreign.__name__]
    with pytest.raises(ModuleNotFoundError, match="foreign_recommender"):
        torch.load(path, weights_only=False)
    assert same(read_weights(path), TENSORS)
    assert "foreign_recommender" not in sys.modules


CALLS: dict[str, Callable[[Path], Payload]] = {
    "os.system": lambda mark: Payload(os.system, f"touch {mark}"),
    "exec": lambda mark: Payload(builtins.exec, f"import pathlib; pathlib.Path({str(mark)!r}).touch()"),
    "subprocess": lambda mark: Payload(subprocess.check_call, ["touch", str(mark)]),
    "open": lambda mark: Payload(builtins.open, str(mark), "w"),
    "a partial": lambda mark: Payload(functools.partial(os.mkdir, str(mark))),
    "a method": lambda mark: Payload(Path.touch, mark),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_nothing_in_a_checkpoint_is_run(tmp_path: Path, call: Callable[[Path], Payload]) -> None:
    mark = tmp_path / "it_was_run"
    path = saved(tmp_path / "model.pth", {"config": call(mark), "state_dict": TENSORS})
    with suppress(ArtefactCorrupt):  # torch lets some modules never pass, not even as stand-ins
        assert same(read_weights(path), TENSORS)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the ordinary way does run it: the file is what it is said to be
    assert mark.exists()


def test_stand_ins_do_not_stay(tmp_path: Path, foreign: ModuleType) -> None:
    """What was let pass for one file is not let pass for the next reader."""
    before = set(torch.serialization.get_safe_globals())
    path = saved(tmp_path / "model.pth", {"config": foreign.Config(), "state_dict": TENSORS})
    read_weights(path)
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing, match=r"model\.pth is not there"):
        read_weights(tmp_path / "model.pth")


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, [torch.ones(1)], torch.ones(1), {"state_dict": 3}, "hi"])
def test_a_file_without_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    path = saved(tmp_path / "model.pth", content)
    with pytest.raises(ArtefactCorrupt, match=r"model\.pth: holds no named tensors"):
        read_weights(path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 no archive either", b"\x80\x02}q\x00."])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(ArtefactCorrupt, match=r"model\.pth: no whole checkpoint"):
        read_weights(tmp_path / "model.pth")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_checkpoint_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = saved(tmp_path_factory.mktemp("cut") / "model.pth", {"state_dict": TENSORS})
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ArtefactCorrupt, match=r"model\.pth: no whole checkpoint"):
        read_weights(path)


@pytest.mark.parametrize(("protocol", "is_read"), [(0, False), (2, True), (3, True), (4, False)])
def test_of_another_pickle_protocol_it_is_read_or_refused_without_a_warning(
    tmp_path: Path, protocol: int, *, is_read: bool
) -> None:
    path = tmp_path / "model.pth"
    torch.save(TENSORS, path, pickle_protocol=protocol)
    if is_read:
        assert same(read_weights(path), TENSORS)
    else:
        with pytest.raises(ArtefactCorrupt, match=r"model\.pth: no whole checkpoint \(Unsupported operand"):
            read_weights(path)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_checkpoint_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = saved(tmp_path_factory.mktemp("bad") / "model.pth", {"config": Payload(len, "x"), "state_dict": TENSORS})
    bytes_ = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(bytes_))
    with suppress(ArtefactCorrupt):
        read_weights(path)
