"""The step `evaluate`: teachers, students and floors through the same metrics, on the test users, every item ranked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from training.artefacts import read_record
from training.dataset import Dataset
from training.devices import pick_device
from training.distillation.distill import load_student
from training.evaluation.baselines import floors
from training.evaluation.metrics import summary
from training.evaluation.ranking import PROTOCOLS, Scorer, ranks_by_protocol
from training.evaluation.scoring import scorer_of
from training.evaluation.serving_loss import ServingLoss, serving_loss
from training.teachers.steps import load_teacher
from training.two_tower import TwoTower

Report = dict[str, dict[str, dict[str, float]]]
"""name -> protocol -> metric -> value"""
COLUMNS = ("recall@10", "ndcg@10", "recall@50", "ndcg@50", "mrr")


def load_model(folder: Path, dataset: Dataset) -> TwoTower:
    """A fine-tuned teacher or a student, whichever the folder holds.

    Raises:
        ArtefactError: neither, corrupt, or of another data set.
    """
    if read_record(folder).kind == "teacher":
        return load_teacher(folder, dataset)[0]
    return load_student(folder, dataset)[0]


def evaluate(folders: Sequence[Path], dataset: Dataset, *, with_floors: bool) -> Report:
    """Measure models, and the floors beside them.

    Returns:
        One entry a folder, named as given, then one a floor.
    """
    return {name: _measure(scorer, dataset) for name, scorer in _scorers(folders, dataset, with_floors=with_floors)}


def serving_losses(folders: Sequence[Path], dataset: Dataset) -> dict[str, ServingLoss]:
    """What students lose that are served as something else than they were trained as."""
    students = (folder for folder in folders if read_record(folder).kind == "student")
    found = {str(folder): serving_loss(load_student(folder, dataset)[0], dataset) for folder in students}
    return {name: one for name, one in found.items() if one is not None}


def _scorers(folders: Sequence[Path], dataset: Dataset, *, with_floors: bool) -> Iterator[tuple[str, Scorer]]:
    for folder in folders:
        yield str(folder), scorer_of(load_model(folder, dataset).to(pick_device()))
    if with_floors:
        yield from floors(dataset.interactions, dataset.split, len(dataset.catalog)).items()


def _measure(scorer: Scorer, dataset: Dataset) -> dict[str, dict[str, float]]:
    ranks = ranks_by_protocol(scorer, dataset.interactions, dataset.split.test)
    return {protocol: summary(ranks[protocol]) for protocol in PROTOCOLS}


def as_json(
    report: Report, losses: Mapping[str, ServingLoss] | None = None
) -> dict[str, dict[str, float | dict[str, float]]]:
    """{name: {"recall@10": .., .., "masked": {..}}}: the plain keys are unmasked, as published tables are. A model that
    loses something by being served has a key "serving", too."""
    lost = {name: {"serving": one.as_json()} for name, one in (losses or {}).items()}
    return {
        name: {**found["unmasked"], "masked": found["masked"], **lost.get(name, {})} for name, found in report.items()
    }


def as_table(report: Report, labels: dict[str, str], title: str) -> Table:
    """A table a person reads; the best of each column stands bold."""
    table = Table(title=title)
    table.add_column("model")
    for protocol in PROTOCOLS:
        for column in COLUMNS:
            table.add_column(f"{column}\n{protocol}", justify="right")
    best = {
        (protocol, column): max(found[protocol][column] for found in report.values())
        for protocol in PROTOCOLS
        for column in COLUMNS
    }
    for name, found in report.items():
        cells = (_cell(found[protocol][column], best[protocol, column]) for protocol in PROTOCOLS for column in COLUMNS)
        table.add_row(escape(labels.get(name, name)), *cells)
    return table


def _cell(value: float, best: float) -> str:
    text = f"{value:.4f}".removeprefix("0")
    return f"[bold]{text}[/bold]" if value == best else text
