"""What teachers leave behind: a user vector per train row and an item matrix each. Nothing else of them is needed.

A teacher's logits for any row and any candidates are one matrix product of the two, so this cache is exact and never
truncated, at the price of `rows x width x 2` bytes. It is read memory-mapped. Teachers are not loaded while distilling.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactMissing, Lineage, ModelRecord, require_same_data
from training.batches import WindowBatches
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.evaluation.selection import calibration_half
from training.evaluation.temperature import calibrated_temperature
from training.lineage import lineage_of
from training.progress import progress_bar
from training.sequences import evaluation_sequences, train_windows
from training.teachers.base import Teacher

RECORD = "knowledge.json"
_ROWS_PER_BATCH = 4096


class TeacherEntry(Config):
    """One teacher's part of the cache, in the folder named `folder`."""

    name: str
    folder: str
    fingerprint: str
    """sha256 of its weights."""
    temperature: float = Field(gt=0)
    """tau of the teacher's own softmax."""
    calibration: float = Field(gt=0)
    """T_m of equation 1: the softmax over the catalogue is best calibrated on validation at tau * T_m."""
    rows: int = Field(ge=1)
    """Train rows that it scored."""
    width: int = Field(ge=1)
    bytes: int = Field(ge=1)
    seconds: float


class KnowledgeRecord(Config):
    """`knowledge.json`."""

    data: Lineage
    teachers: tuple[TeacherEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class TeacherMemory:
    """One teacher's vectors."""

    entry: TeacherEntry
    row: NDArray[np.int64]
    """[S] flat rows, ascending"""
    user: NDArray[np.float16]
    """[S, D] unit vectors, memory-mapped"""
    item: NDArray[np.float16]
    """[N+1, D] unit vectors"""

    def users_at(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The user vectors at some flat rows: float[R, D], and which of the rows this teacher scored: bool[R]."""
        place = np.searchsorted(self.row, rows).clip(max=self.row.size - 1)  # [R]
        vectors = self.user[place].astype(np.float32)  # [R, D]
        return torch.from_numpy(vectors), torch.from_numpy(self.row[place] == rows)

    def items(self) -> Tensor:
        """float[N+1, D]."""
        return torch.from_numpy(self.item.astype(np.float32))


@dataclass(frozen=True, eq=False)
class TeacherKnowledge:
    """The memories of M teachers of one data set."""

    record: KnowledgeRecord
    teachers: tuple[TeacherMemory, ...]

    @classmethod
    def read(cls, folder: Path, dataset: Dataset) -> TeacherKnowledge:
        """Map a cache into memory.

        Raises:
            ArtefactMissing: no cache there.
            ArtefactCorrupt: files and record contradict each other; the file is named.
            ArtefactMismatch: gathered from another data set.
        """
        path = folder / RECORD
        if not path.is_file():
            raise ArtefactMissing(f"{path} is not there: {folder} holds no knowledge")
        try:
            record = KnowledgeRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ArtefactCorrupt(f"{path}: {error}") from error
        require_same_data(folder, record.data, lineage_of(dataset))
        return cls(
            record, tuple(_read_memory(folder / one.folder, one, len(dataset.catalog)) for one in record.teachers)
        )


def gather(dataset: Dataset, teachers: Sequence[tuple[Teacher, ModelRecord]], out: Path) -> KnowledgeRecord:
    """Let every teacher score every train row, and keep what it says.

    A teacher that is in the cache already, with the same weights, is not asked again: an interrupted run goes on.

    Raises:
        ConfigError: the same teacher twice.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = [record.weights_sha256 for _, record in teachers]
    if len(set(names)) != len(names):
        raise ConfigError("the same teacher is named twice")
    entries = [
        _remembered(out / _folder(number, record), record)
        or _ask(dataset, teacher, record, out / _folder(number, record))
        for number, (teacher, record) in enumerate(teachers)
    ]
    knowledge = KnowledgeRecord(data=lineage_of(dataset), teachers=tuple(entries))
    partial = out / f"{RECORD}.partial"
    partial.write_text(knowledge.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(out / RECORD)
    return knowledge


def _folder(number: int, record: ModelRecord) -> str:
    return f"{number}-{record.name}"


def _ask(dataset: Dataset, teacher: Teacher, record: ModelRecord, folder: Path) -> TeacherEntry:
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (folder / "teacher.json", folder.parent / RECORD):  # they vouch for files that are about to change
        stale.unlink(missing_ok=True)
    row = dataset.split.train_rows(dataset.interactions)  # [S]
    with torch.no_grad():
        item = teacher.item_matrix()  # [N+1, D]
        _write_users(dataset, teacher, item, row, folder)
        calibration = _calibrate(dataset, teacher, item)
    np.save(folder / "row.npy", row)
    np.save(folder / "item.npy", item.to(torch.float16).cpu().numpy())
    entry = TeacherEntry(
        name=record.name,
        folder=folder.name,
        fingerprint=record.weights_sha256,
        temperature=teacher.temperature,
        calibration=calibration,
        rows=row.size,
        width=item.shape[1],
        bytes=sum((folder / f"{name}.npy").stat().st_size for name in ("row", "item", "user")),
        seconds=time.perf_counter() - started,
    )
    (folder / "teacher.json").write_text(entry.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return entry


def _write_users(dataset: Dataset, teacher: Teacher, item: Tensor, row: NDArray[np.int64], folder: Path) -> None:
    """One causal pass over all windows fills the user matrix, in the order of the rows."""
    batches = WindowBatches(train_windows(dataset.interactions, dataset.split, teacher.max_history), _ROWS_PER_BATCH)
    device, width = item.device, item.shape[1]
    hidden_of = teacher.prepared()
    users = open_memmap(folder / "user.npy", mode="w+", dtype=np.float16, shape=(row.size, width))  # [S, D]
    with progress_bar(f"asking {teacher.name}", row.size) as bar:
        for batch in batches.in_order():
            hidden = hidden_of(batch.history.to(device))[batch.asked.to(device)]  # [R, D]
            asked = batch.row[batch.asked].numpy()  # [R]
            users[np.searchsorted(row, asked)] = hidden.to(torch.float16).cpu().numpy()
            bar.advance(steps=asked.size)
    users.flush()


def _calibrate(dataset: Dataset, teacher: Teacher, item: Tensor) -> float:
    half = calibration_half(dataset.split.validation)
    asked = evaluation_sequences(dataset.interactions, half, teacher.max_history)
    users = teacher.encode(torch.from_numpy(asked.history.copy()).to(item.device))  # [E, D]
    logits = users @ item[1:].T / teacher.temperature  # [E, N]
    return calibrated_temperature(logits, torch.from_numpy(asked.target - 1).to(item.device))


def _remembered(folder: Path, record: ModelRecord) -> TeacherEntry | None:
    path = folder / "teacher.json"
    if not path.is_file():
        return None
    try:
        entry = TeacherEntry.model_validate_json(path.read_bytes())
    except ValidationError:
        return None  # damaged: asking again makes it whole
    return entry if entry.fingerprint == record.weights_sha256 else None


def _read_memory(folder: Path, entry: TeacherEntry, items: int) -> TeacherMemory:
    loaded = {}
    for name, (shape, dtype) in {
        "row": ((entry.rows,), np.int64),
        "user": ((entry.rows, entry.width), np.float16),
        "item": ((items + 1, entry.width), np.float16),
    }.items():
        path = folder / f"{name}.npy"
        try:
            loaded[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise ArtefactMissing(f"{path} is not there") from error
        except (ValueError, EOFError) as error:
            raise ArtefactCorrupt(f"{path}: {error}") from error
        found = (loaded[name].shape, loaded[name].dtype)
        if found != (shape, np.dtype(dtype)):
            raise ArtefactCorrupt(f"{path}: {found[1]} {found[0]}, by {RECORD} {np.dtype(dtype)} {shape}")
    return TeacherMemory(entry, loaded["row"], loaded["user"], loaded["item"])
