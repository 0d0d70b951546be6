"""What teachers leave behind: a user vector per row and an item matrix each. Nothing else of them is needed.

Train rows are what students learn from. Validation and test rows are kept apart, as `HeldOut`: the first calibrate, and
fit the learned gate; by the second the teachers' own mixture is measured beside the students. No student learns there.

A teacher's logits for any row and any candidates are one matrix product of the two, so this cache is exact and never
truncated, at the price of `rows x width x 2` bytes. It is read memory-mapped. Teachers are not loaded while distilling.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, ValidationError
from torch import Tensor

from training.artefacts import ArtefactCorrupt, ArtefactMissing, Lineage, ModelRecord, require_same_data, sha256_of
from training.asking import SAVE_SECONDS, USERS, Asked, forget_progress, rows_to_ask, write_users
from training.calibration import judged
from training.config import Config, ConfigError
from training.dataset import Dataset
from training.devices import pick_device
from training.ease_memory import read_ease, remember_ease
from training.evaluation.selection import calibration_half
from training.evaluation.temperature import calibrated_temperature
from training.lineage import lineage_of
from training.memory import Memory
from training.processes import Processes
from training.teacher_entry import EaseLink, TeacherEntry, TransitionsLink
from training.teachers.base import Teacher
from training.teachers.ease import EaseConfig
from training.teachers.transitions import TransitionsSearch
from training.transitions_memory import read_transitions, remember_transitions
from training.vector_memory import HeldOut, TeacherMemory, read_vectors

RECORD = "knowledge.json"
_PARTS = ("row", "item", "user", "held_out_row", "held_out_user")
HELD_OUT = "held-out"


class KnowledgeRecord(Config):
    """`knowledge.json`."""

    data: Lineage
    teachers: tuple[TeacherEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class TeacherKnowledge:
    """The memories of M teachers of one data set."""

    record: KnowledgeRecord
    teachers: tuple[Memory, ...]

    @property
    def with_vectors(self) -> tuple[TeacherMemory, ...]:
        """Those that left vectors behind."""
        return tuple(one for one in self.teachers if isinstance(one, TeacherMemory))

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
        return cls(record, tuple(_memory(folder / one.folder, one, dataset) for one in record.teachers))


def gather(
    dataset: Dataset,
    teachers: Sequence[tuple[Teacher, ModelRecord]],
    out: Path,
    rows: int = 0,
    save_seconds: float = SAVE_SECONDS,
    closed_forms: Sequence[EaseConfig | TransitionsSearch] = (),
) -> KnowledgeRecord:
    """Let every teacher score the train rows, and keep what it says.

    A teacher that is in the cache already, with the same weights, is not asked again, and one that was interrupted goes
    on where it stopped.

    Args:
        dataset: whose train rows.
        teachers: with what is known of them, in the order of rows A1, A2, A3.
        out: folder to write.
        rows: a teacher that needs a pass for each row scores a sample of so many; 0: all.
        save_seconds: a kill costs this much work at most.
        closed_forms: teachers that are worked out, not trained; they come last, after the others.

    Raises:
        ConfigError: the same teacher twice, or several processes, which would write over each other.
    """
    if not Processes.here().alone:
        raise ConfigError("gather: one process asks the teachers; start it without accelerate launch or torchrun")
    out.mkdir(parents=True, exist_ok=True)
    names = [record.weights_sha256 for _, record in teachers]
    if len(set(names)) != len(names):
        raise ConfigError("the same teacher is named twice")
    entries = []
    for number, (teacher, record) in enumerate(teachers):
        teacher.to(pick_device())
        asked, folder = rows_to_ask(dataset, teacher, rows), out / _folder(number, record)
        entry = _entry(Asked(dataset, teacher, record.weights_sha256, asked, folder, save_seconds), record.name)
        entries.append(entry.model_copy(update={"cut_short": record.cut_short}))  # a remembered one may not have it
        teacher.cpu()  # the next one needs the room
    for form in closed_forms:
        entries.append(_worked_out(dataset, form, (out, len(entries))))
    return _seal(out, dataset, entries)


def _worked_out(dataset: Dataset, form: EaseConfig | TransitionsSearch, place: tuple[Path, int]) -> TeacherEntry:
    """Of a teacher in closed form, which is the place[1]-th of the cache."""
    out, number = place
    if isinstance(form, EaseConfig):
        return remember_ease(dataset, form, out / f"{number}-{EaseLink.teacher}")
    return remember_transitions(dataset, form, out / f"{number}-{TransitionsLink.teacher}")


def _seal(out: Path, dataset: Dataset, entries: Sequence[TeacherEntry]) -> KnowledgeRecord:
    """Judge every teacher by held-out rows, and write the record that vouches for all of them."""
    teachers = tuple(judged(_memory(out / one.folder, one, dataset), dataset) for one in entries)
    knowledge = KnowledgeRecord(data=lineage_of(dataset), teachers=teachers)
    partial = out / f"{RECORD}.partial"
    partial.write_text(knowledge.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(out / RECORD)
    return knowledge


def _folder(number: int, record: ModelRecord) -> str:
    return f"{number}-{record.name}"


def _entry(asked: Asked, name: str) -> TeacherEntry:
    return _remembered(asked) or _ask(asked, name)


def _ask(asked: Asked, name: str) -> TeacherEntry:
    folder, held_out = asked.folder, _held_out(asked)
    held_out.folder.mkdir(parents=True, exist_ok=True)
    for stale in (folder / "teacher.json", folder.parent / RECORD):  # they vouch for files that are about to change
        stale.unlink(missing_ok=True)
    with torch.no_grad():
        item = asked.teacher.item_matrix()  # [N+1, D]
        seconds = write_users(asked, item) + write_users(held_out, item)
    (held_out.folder / USERS).replace(folder / "held_out_user.npy")
    np.save(folder / "held_out_row.npy", held_out.row)
    np.save(folder / "row.npy", asked.row)
    np.save(folder / "item.npy", item.to(torch.float16).cpu().numpy())
    entry = TeacherEntry(
        name=name,
        folder=folder.name,
        fingerprint=asked.fingerprint,
        temperature=asked.teacher.temperature,
        calibration=_calibrate(asked, item),
        rows=asked.row.size,
        held_out_rows=held_out.row.size,
        width=item.shape[1],
        bytes=sum((folder / f"{part}.npy").stat().st_size for part in _PARTS),
        sha256={part: sha256_of(folder / f"{part}.npy") for part in _PARTS},
        seconds=seconds,
    )
    partial = folder / "teacher.json.partial"
    partial.write_text(entry.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / "teacher.json")
    forget_progress(folder)
    shutil.rmtree(held_out.folder)
    return entry


def _held_out(asked: Asked) -> Asked:
    """The same teacher, asked for the validation and test rows, in a folder inside."""
    return replace(asked, row=asked.dataset.split.held_out_rows, folder=asked.folder / HELD_OUT, held_out=True)


def _calibrate(asked: Asked, item: Tensor) -> float:
    """T_m of equation 1, fitted on the calibration half of the validation users."""
    rows = calibration_half(asked.dataset.split.validation).row  # [E]
    folder = asked.folder
    held_out = HeldOut(np.load(folder / "held_out_row.npy"), np.load(folder / "held_out_user.npy", mmap_mode="r"))
    users = held_out.users_at(rows).to(item.device)  # [E, D]
    logits = users @ item[1:].T / asked.teacher.temperature  # [E, N]
    target = torch.from_numpy(asked.dataset.interactions.item[rows].astype(np.int64) - 1)  # [E]
    return calibrated_temperature(logits, target.to(item.device))


def _remembered(asked: Asked) -> TeacherEntry | None:
    """The entry of the same teacher's answers at the same rows, if it is there and its files are as it says."""
    path = asked.folder / "teacher.json"
    if not path.is_file():
        return None
    try:
        entry = TeacherEntry.model_validate_json(path.read_bytes())
        memory = read_vectors(asked.folder, entry, len(asked.dataset.catalog), asked.dataset.interactions)
    except (ValidationError, ArtefactCorrupt, ArtefactMissing):
        return None  # damaged: asking again makes it whole
    same = entry.fingerprint == asked.fingerprint and np.array_equal(memory.row, asked.row)
    return entry if same else None


def _memory(folder: Path, entry: TeacherEntry, dataset: Dataset) -> Memory:
    if entry.ease is not None:
        return read_ease(folder, entry, dataset)
    if entry.transitions is not None:
        return read_transitions(folder, entry, dataset)
    return read_vectors(folder, entry, len(dataset.catalog), dataset.interactions)
