"""The studies of the documentation: every row of distillation on four real data sets, stored, and told on a page.

    python -m benchmarks.studies run --set NAME [--build build] [--jobs 2]    gather, then train what is not trained yet
    python -m benchmarks.studies page              docs/studies.md, a page for each study, and their picture

`python -m benchmarks.teachers run` comes before: it prepares the data sets and trains the teachers. Every step goes on
where it stopped. Results lie in benchmarks/results/studies, one `report.json` for each data set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.study_page import write_page
from benchmarks.study_words import AS_SERVED, CLOSER, COUNTED, LONGER, THREE_TEACHERS
from benchmarks.teachers import STUDIED, TARGETS, TEACHERS, Places

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

RESULTS = Path("benchmarks/results/studies")
CONFIGS = Path("configs/studies")
CORE = ("A0", "A1", "A2", "A16", "A4", "A7", "C3", "C7", "A3", "A17", "C9", "C10")
"""What success is judged by, beside what knows nothing and what is broken."""
SAMPLED_ROWS = 30_000
"""Train rows that a teacher without a causal pass (Recformer) scores."""


@dataclass(frozen=True)
class Part:
    """Some students and rows of a study."""

    students: tuple[str, ...]
    rows: tuple[str, ...]
    """Empty: all."""
    seeds: int


_SHORT = ("A0", "A1", "A2", "A4", "A7")
_PLAN = (
    Part(("sasrec",), CORE, 3),
    Part(("fm", "gru4rec", "lightgcn", "deepfm"), (*_SHORT, "A16"), 3),
    Part(("sasrec",), (), 3),
)

_THREE_CORE = tuple(row for row in (*CORE, "A15", "C8") if row != "A16")
_MAIN = (*_SHORT, "A15", "C8")
_THREE = (
    Part(("sasrec",), _MAIN, 3),
    Part(("fm", "gru4rec", "lightgcn"), _SHORT, 3),
    Part(("sasrec",), (), 1),
    Part(("sasrec",), (), 3),
    Part(("deepfm",), ("A0", "A1", "A4", "A7"), 3),
)
_SERVED = (Part(("sasrec",), _MAIN, 3),)
_COUNTED = (
    Part(("sasrec",), ("A0", "A4", "A7", "A19"), 3),
    Part(("sasrec",), ("A1", "A2", "A3", "A16", "C7", "C10", "C11"), 3),
)
_RECIPES = {
    **dict.fromkeys((*TARGETS, *(THREE_TEACHERS[name] for name in LONGER)), "study-first.toml"),
    **{LONGER[name]: "study-longer.toml" for name in LONGER},
    THREE_TEACHERS["amazon_office_2014"]: "study-short.toml",
    **dict.fromkeys(AS_SERVED.values(), "study-as-served.toml"),
}
"""Studies that are kept with the recipes they had: better or other ones came later, and have a study of their own."""
PLANS: dict[str, tuple[Part, ...]] = {
    **dict.fromkeys(TARGETS, _PLAN),
    **dict.fromkeys(THREE_TEACHERS.values(), _THREE),
    THREE_TEACHERS["online_retail"]: (Part(("sasrec",), _THREE_CORE, 3), Part(("sasrec",), (), 1)),
    THREE_TEACHERS["movies_ml1m"]: (
        Part(("fm",), _SHORT, 1),
        Part(("lightgcn",), _SHORT, 3),
        Part(("sasrec",), ("A0", "A4", "A7"), 2),
        Part(("gru4rec",), _SHORT, 1),
        Part(("sasrec",), _MAIN, 1),
        Part(("deepfm",), _SHORT, 1),
    ),
    **dict.fromkeys(AS_SERVED.values(), _SERVED),
    LONGER["amazon_scientific"]: (*_SERVED, Part(("gru4rec",), ("A0", "A4", "A7"), 2), Part(("gru4rec",), _SHORT, 1)),
    **dict.fromkeys(CLOSER.values(), _SERVED),
    **dict.fromkeys(COUNTED.values(), _COUNTED),
    LONGER["online_retail"]: (*_SERVED, Part(("sasrec",), ("C7", "C10"), 1), Part(("lightgcn",), _SHORT, 1)),
}
"""What a study is kept as -> what is trained, in this order: what success is judged by comes first."""


@app.command("run")
def run(
    name: Annotated[str, typer.Option("--set", help=f"One of {', '.join(TARGETS)}.")],
    build: Annotated[Path, typer.Option(help="Where data sets and teachers lie.")] = Path("build"),
    jobs: Annotated[int, typer.Option(help="Trainings side by side.", min=1)] = 2,
    parts: Annotated[int, typer.Option(help="Only the first parts of the plan; 0: all.", min=0)] = 0,
    teacher: Annotated[list[str] | None, typer.Option(help="Only these are heard, and what is in closed form.")] = None,
    keep_as: Annotated[str, typer.Option(help="Under another name than the data set's, with a plan of its own.")] = "",
) -> None:
    """Gather, train what is not trained yet, store the report."""
    places, kept_as = Places(Path(), build), keep_as or name
    out = build / "studies" / kept_as
    if kept_as not in PLANS:
        raise typer.BadParameter(f"--keep-as {kept_as}: planned are {', '.join(PLANS)}")
    counted = kept_as in COUNTED.values()
    knowledge = build / "knowledge" / (kept_as if counted else name)
    teachers = [word for one in teacher or TEACHERS for word in ("--teacher", str(places.tuned(one, name, STUDIED)))]
    forms = ("--ease", "--transitions") if counted else ("--ease",)
    _training(  # who is in the cache already is calibrated anew, and not asked
        "gather", *_data(places, name), *teachers, "--rows", str(SAMPLED_ROWS), *forms, "--out", str(knowledge)
    )
    for part in PLANS[kept_as][: parts or None]:
        students = [word for one in part.students for word in ("--student", one)]
        rows = [word for one in part.rows for word in ("--row", one)]
        options = ("--seeds", str(part.seeds), "--jobs", str(jobs), "--config", str(recipes(name, kept_as)))
        source = (*_data(places, name), "--knowledge", str(knowledge), "--out", str(out))
        try:
            _training("study", *source, *students, *rows, *options)
        finally:  # what is done is told though some runs failed
            store(out, kept_as)


def recipes(name: str, kept_as: str) -> Path:
    """The recipes of a data set's study, by what it is kept as: those that a stored report was made with."""
    return CONFIGS / name / _RECIPES.get(kept_as, "study.toml")


def store(folder: Path, name: str) -> None:
    """Keep what a study found; nothing where it found nothing."""
    if not (folder / "report.json").is_file():
        return
    kept = RESULTS / name
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "report.json", kept / "report.json")


@app.command("page")
def page() -> None:
    """Write the pages and their picture."""
    typer.echo(f"written: {write_page(RESULTS, Path('docs'))}")


def _data(places: Places, name: str) -> tuple[str, str]:
    return "--data", str(places.data(name))


def _training(*arguments: str) -> None:
    """A step of the command line, on one thread for each process.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True, env=environment)  # noqa: S603


if __name__ == "__main__":
    app()
