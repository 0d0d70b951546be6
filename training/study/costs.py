"""What a row cost beside training without teachers, and what the teachers' memory cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from training.config import Config
from training.study.comparisons import BASE
from training.study.findings import KnowledgeCost, RunFinding


class RowCost(Config):
    """One row of one student."""

    row: str
    parameters: int
    """The largest over seeds; teachers leave none behind."""
    seconds: float
    """Training, the mean over seeds."""
    relative_seconds: float | None
    """Against A0; None: A0 is not measured, or took no time."""
    epochs: float | None
    """The mean over seeds; None: no curve was kept."""
    peak_memory_mb: float | None
    """The largest over seeds; None: not measured."""
    devices: tuple[str, ...] = ()
    """What the runs were trained on; empty: not known."""


class KnowledgeReport(Config):
    """The memory of one teacher."""

    teacher: str
    bytes: int
    """On disk."""
    seconds: float
    """To gather, once for all students and rows."""
    cut_short: bool | None = None
    """Its training was ended by its limit of epochs, and it may know less than it could; None: not noted."""


def row_costs(runs: Mapping[str, Sequence[RunFinding]]) -> tuple[RowCost, ...]:
    """Row -> its runs, as they stand in the findings."""
    base = mean(run.seconds for run in runs[BASE]) if BASE in runs else 0.0
    return tuple(_cost(row, found, base) for row, found in runs.items())


def knowledge_reports(knowledge: Sequence[KnowledgeCost]) -> tuple[KnowledgeReport, ...]:
    """As measured."""
    return tuple(
        KnowledgeReport(teacher=one.teacher, bytes=one.bytes, seconds=one.seconds, cut_short=one.cut_short)
        for one in knowledge
    )


def _cost(row: str, runs: Sequence[RunFinding], base: float) -> RowCost:
    seconds = mean(run.seconds for run in runs)
    memory = [run.peak_memory_mb for run in runs if run.peak_memory_mb is not None]
    epochs = [len(run.curve) for run in runs if run.curve]
    return RowCost(
        row=row,
        parameters=max(run.parameters for run in runs),
        seconds=seconds,
        relative_seconds=seconds / base if base > 0 else None,
        epochs=mean(epochs) if epochs else None,
        peak_memory_mb=max(memory, default=None),
        devices=tuple(sorted({run.device for run in runs if run.device})),
    )
