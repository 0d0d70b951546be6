"""The manifest: everything a bundle says of itself, on one page."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

SCHEMA_VERSION: Literal[1] = 1
LARGEST_OFFSET = 1e30
"""Scores are float32, which a sum with this does not leave."""

Sha256 = str
_HEX64 = Field(pattern=r"^[0-9a-f]{64}$")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file of the bundle."""

    sha256: Sha256 = _HEX64
    bytes: int = Field(ge=0)


class CatalogInfo(_Part):
    """Which items the model knows."""

    size: int = Field(ge=1)
    """N, without PAD."""
    fingerprint: Sha256 = _HEX64


class EncoderInfo(_Part):
    """`encoder.onnx`: history int64[B, L] -> user float32[B, D]."""

    input: str = "history"
    output: str = "user"
    max_history: int = Field(ge=1)
    """L."""
    width: int = Field(ge=1)
    """D; also the width of the item vectors."""
    opset: int = Field(ge=1)


class RetrievalInfo(_Part):
    """`retrieval.onnx`: user float32[B, D], n int64[1] -> scores float32[B, n], catalogue indices items int64[B, n]."""

    kind: Literal["exact"] = "exact"
    """Gemm and TopK over every item; the vectors lie in `item_vectors.bin`, float32[N, D], row 0 = index 1."""
    recall: float = Field(ge=0, le=1)
    """Overlap of the top 20 with a full sort of the student's own scores, measured on the parity histories."""


class RerankerInfo(_Part):
    """`rerank.onnx`: history int64[B, L], candidates int64[B, C] -> scores float32[B, C], B and C free.

    Of a student whose score needs the pair, so that no dot product gives it: retrieval proposes, this decides.
    """

    inputs: tuple[Literal["history"], Literal["candidates"]] = ("history", "candidates")
    output: Literal["scores"] = "scores"
    golden: Literal["reranked"] = "reranked"
    """The table of `golden.npz` with the score that each golden history must give each of its golden items again."""
    candidates: int = Field(default=200, ge=1)
    """How many allowed items retrieval hands over, or n where more are asked for; fewer where the catalogue ends."""
    recall: float = Field(ge=0, le=1)
    """Share of the top 20 by the student's own score of every item that lie among so many candidates."""
    max_abs_diff: float = Field(ge=0)
    """Largest difference between a score of the graph and the student's, over the parity histories."""


class StudentInfo(_Part):
    """The model and how it was made."""

    name: str
    row: str
    """The row of the study that it was trained as: A0 = no distillation, A7 = full."""
    parameters: int = Field(ge=1)
    config: dict[str, JsonValue]
    config_hash: Sha256 = _HEX64
    """sha256 of the canonical JSON of `config`."""
    seed: int


class TeacherInfo(_Part):
    """A teacher that the student learnt from."""

    name: str
    fingerprint: Sha256 = _HEX64
    """sha256 of the teacher's weights."""


class DataInfo(_Part):
    """The data that all of it was learnt from."""

    name: str
    fingerprint: Sha256 = _HEX64
    split: str
    split_fingerprint: Sha256 = _HEX64


class ParityInfo(_Part):
    """How equal the ONNX graphs are to the student they were exported from."""

    histories: int = Field(ge=1)
    max_abs_diff: float = Field(ge=0)
    tolerance: float = Field(gt=0)
    top_n_overlap: float = Field(ge=0, le=1)


class BundleDraft(_Part):
    """What the exporter knows before the files are hashed."""

    schema_version: Literal[1] = SCHEMA_VERSION
    created_at: datetime
    catalog: CatalogInfo
    encoder: EncoderInfo
    retrieval: RetrievalInfo
    student: StudentInfo
    teachers: tuple[TeacherInfo, ...]
    data: DataInfo
    offline_metrics: dict[str, dict[str, float]]
    """Protocol (`unmasked`, `masked`, `repeat_aware`: unmasked, with the offset below) -> metric -> value on the test
    users. Bundles from before there was an offset lack the third."""
    parity: ParityInfo
    reranker: RerankerInfo | None = None
    """None: retrieval's own scores are the student's."""
    repeat_offset: float | None = Field(default=None, ge=-LARGEST_OFFSET, le=LARGEST_OFFSET, allow_inf_nan=False)
    """Added to the final score of every item of a user's history, where such may come back. Fitted on held-out users,
    of whom no metric above is told. None: nothing is added."""


class Manifest(BundleDraft):
    """`manifest.json`."""

    model_version: str = Field(min_length=1)
    """Student, row and the first 12 hex digits of a hash over all files and, where there is one, the offset: where
    these are equal, so is the version."""
    files: dict[str, FileEntry]
