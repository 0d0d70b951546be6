"""How closely students say what their teachers say, at rows that they learnt from and at rows that nobody learnt from.

    python -m benchmarks.fidelity STUDENT... --data DATA --knowledge KNOWLEDGE [--out FILE]

What the figures mean stands in `training/study/fidelity.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.dataset import Dataset
from training.distillation.distill import load_student
from training.knowledge import TeacherKnowledge
from training.study.fidelity import fidelity

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    students: Annotated[list[Path], typer.Argument(help="Folders that `distill` wrote.")],
    data: Annotated[Path, typer.Option(help="A prepared data set.")],
    knowledge: Annotated[Path, typer.Option(help="Folder that `gather` wrote.")],
    rows: Annotated[int, typer.Option(help="At most so many of each kind.", min=1)] = 2000,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Print one line a student and kind of rows."""
    dataset = Dataset.read(data)
    memories = TeacherKnowledge.read(knowledge, dataset).teachers
    told = []
    for folder in students:
        student, record = load_student(folder, dataset)
        heard = tuple(m.minding_repeats() for m in memories) if record.recipe.get("repeat_offsets") else memories
        for one in fidelity(student, heard, dataset, rows):
            typer.echo(
                f"{folder} ({record.label}), {one.number} rows {one.rows}: divergence {one.divergence:.3f},"
                f" {one.shared_top:.1%} of the likeliest ten shared"
            )
            who = {"student": record.label, "weights_sha256": record.weights_sha256, "recipe": record.recipe}
            told.append(who | one.model_dump())
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        page = {"data": dataset.name, "teachers": [one.entry.name for one in memories], "students": told}
        out.write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
