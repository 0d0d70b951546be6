"""A trained model on disk: weights as safetensors, and a page that says where they come from.

ArtefactError
├── ArtefactMissing    a folder or file is not there
├── ArtefactCorrupt    the weights are not those that the page describes
└── ArtefactMismatch   made from other data than the data it is to be used with
"""

from __future__ import annotations

import json
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from training.config import Config

Stage = Literal["pretrained", "finetuned", "distilled"]
RECORD = "model.json"
WEIGHTS = "model.safetensors"


class ArtefactError(Exception):
    """A trained model that must not be used."""


class ArtefactMissing(ArtefactError):
    """A folder, or a file in it, is not there."""


class ArtefactCorrupt(ArtefactError):
    """The files in a folder contradict each other."""


class ArtefactMismatch(ArtefactError):
    """Made from another data set, or another catalogue, than the one at hand."""


class Lineage(Config):
    """Which data a model saw."""

    name: str
    fingerprint: str
    split: str
    split_fingerprint: str
    catalog_fingerprint: str


_NEAR = 0.05


class TeacherSource(Config):
    """A teacher that a student learnt from."""

    name: str
    fingerprint: str
    """sha256 of its weights."""
    rows: int | None = None
    """Train rows that it had answered; None: not noted."""
    repeat_offset: float | None = None
    """o_m of the cache, and of a student that was taught with it; None: there is none, or it was not heard."""

    def is_like(self, other: TeacherSource) -> bool:
        """The same teacher, asked the same, its o_m the same but for how a processor rounds; what is not noted is taken
        for equal."""
        asked = {one.rows for one in (self, other) if one.rows is not None}
        moved = [one.repeat_offset for one in (self, other) if one.repeat_offset is not None] or [0.0]
        same = self.fingerprint == other.fingerprint and len(asked) < 2
        return same and max(moved) - min(moved) < _NEAR


class TeachersHeard(Config):
    """How much each teacher was heard by a student that learnt from several."""

    mean_weight: tuple[float, ...]
    """[M] over the rows."""
    weight_sample: tuple[tuple[float, ...], ...]
    """[S', M] the weights at evenly taken rows."""
    agreement: float
    """Mean over rows of sum_m w^m b^m."""
    named: float
    """Probability of the items that the soft targets keep by name, the mean over the same rows."""
    rows: int


class CurvePoint(Config):
    """One epoch."""

    epoch: int
    loss: float
    """Mean training loss per row."""
    validation: float
    """NDCG@10 on the validation users (pre-training: minus the loss)."""
    seconds: float
    stage: int = 1
    """Which of the trainings that follow each other, from 1; each begins with the best weights of those before."""


class ModelRecord(Config):
    """`model.json`: what a folder with a trained model says of itself."""

    kind: Literal["teacher", "student"]
    stage: Stage
    name: str
    """`unisrec`, `sasrec`: the name on the command line."""
    row: str = ""
    """Students: the row of the study (A0, A7, ...)."""
    config: dict[str, JsonValue]
    """The model's own configuration, enough to build it again."""
    recipe: dict[str, JsonValue]
    """How it was trained."""
    data: Lineage
    data_folder: str = ""
    """Where the data set lay, seen from the model's folder."""
    teachers: tuple[TeacherSource, ...] = ()
    heard: TeachersHeard | None = None
    started_from: str = ""
    """Fine-tuned teachers: sha256 of the pre-trained weights; empty: from nothing."""
    seed: int
    parameters: int
    curve: tuple[CurvePoint, ...]
    best_epoch: int
    cut_short: bool | None = None
    """Ended by its limit of epochs, where patience would have gone on; of several stages, any of them. None: not
    noted, or pre-trained, which has a budget and no end."""
    seconds: float
    """Wall time of the training."""
    device: str = ""
    """What it was trained on, at its end; empty: not noted."""
    peak_memory_mb: float | None = None
    """Of the process, all that it had loaded included; None: not measured."""
    weights_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @property
    def config_hash(self) -> str:
        """Hex sha256 of the canonical JSON of `config`."""
        return sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """How tables name it."""
        return f"{self.name} {self.row}".strip()


def save_model(folder: Path, model: nn.Module, record: ModelRecord) -> ModelRecord:
    """Write weights and record; the record goes last, so that a folder with a record is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{WEIGHTS}.partial"
    save_file({name: one.detach().cpu().contiguous() for name, one in model.state_dict().items()}, partial)
    partial.replace(folder / WEIGHTS)
    sealed = record.model_copy(update={"weights_sha256": sha256_of(folder / WEIGHTS)})
    partial = folder / f"{RECORD}.partial"
    partial.write_text(sealed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / RECORD)
    return sealed


def read_record(folder: Path) -> ModelRecord:
    """Read `model.json`.

    Raises:
        ArtefactMissing: the folder holds no trained model.
        ArtefactCorrupt: the record is no record.
    """
    path = folder / RECORD
    if not path.is_file():
        raise ArtefactMissing(f"{path} is not there: {folder} holds no trained model")
    try:
        return ModelRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArtefactCorrupt(f"{path}: {error}") from error


def load_weights(folder: Path, record: ModelRecord, model: nn.Module) -> None:
    """Fill a model with the weights of a folder.

    Raises:
        ArtefactMissing: no weights.
        ArtefactCorrupt: truncated, not those of the record, or of another shape than the model.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ArtefactMissing(f"{path} is not there")
    if sha256_of(path) != record.weights_sha256:
        raise ArtefactCorrupt(f"{path}: its sha256 is not the one in {RECORD}")
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ArtefactCorrupt(f"{path}: {error}") from error


def require_same_data(folder: Path, found: Lineage, wanted: Lineage) -> None:
    """Refuse a model of another data set.

    Raises:
        ArtefactMismatch: the fingerprints differ; the message says which.
    """
    for field in ("catalog_fingerprint", "fingerprint", "split_fingerprint"):
        if getattr(found, field) != getattr(wanted, field):
            raise ArtefactMismatch(
                f"{folder} was made from {found.name!r} ({found.split}), not from the {wanted.name!r} ({wanted.split}) "
                f"at hand: their {field} differ"
            )


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
