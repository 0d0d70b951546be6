"""What teachers know together, before any student is taught: every mixture of them, on validation users.

    python -m benchmarks.mixtures --data DATA --knowledge KNOWLEDGE [--out FILE]

Which teachers are worth hearing, whether weights are, and what a broken teacher would cost: a minute or two, where a
student takes many. What the figures are stands in `training/study/mixtures.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.dataset import Dataset
from training.knowledge import TeacherKnowledge
from training.study.mixtures import mixtures
from training.study.references import names

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def measure(
    data: Annotated[Path, typer.Option(help="A prepared data set.")],
    knowledge: Annotated[Path, typer.Option(help="Folder that `gather` wrote.")],
    users: Annotated[int, typer.Option(help="At most so many.", min=1)] = 4096,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Print one line a mixture."""
    dataset = Dataset.read(data)
    known = TeacherKnowledge.read(knowledge, dataset)
    told = []
    for one in mixtures(dataset, known, users):
        weighed = "" if one.strength is None else f", weighed at {one.strength['unmasked']} / {one.strength['masked']}"
        typer.echo(f"{one.ndcg['unmasked']:.4f} {one.ndcg['masked']:.4f}  {' + '.join(one.heard)}{weighed}")
        told.append(one.model_dump())
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        page = {"data": dataset.name, "teachers": names(known), "users": users, "mixtures": told}
        out.write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app()
