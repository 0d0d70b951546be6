"""What each step is called and which flags it takes; the work is done elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.artefacts import ArtefactError, ModelRecord, read_record
from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.distillation.self_teacher import load_any_teacher
from training.errors import DataError
from training.evaluation.evaluate import as_json, as_table, evaluate, serving_losses
from training.knowledge import gather
from training.prepare import PrepareConfig, prepare
from training.processes import Processes
from training.students.registry import STUDENTS as KNOWN_STUDENTS
from training.study.config import StudyConfig
from training.study.search import SearchConfig, SearchPlan, best_point, search
from training.study.study import Plan, study
from training.teachers.ease import EaseConfig
from training.teachers.kind import TeacherRecipe
from training.teachers.registry import teacher_kind
from training.teachers.steps import finetune, pretrain
from training.teachers.transitions import TransitionsSearch

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False, rich_markup_mode=None
)

TEACHERS = "unisrec, recformer or unim2rec."
STUDENTS = f"{', '.join(KNOWN_STUDENTS)}."
HOLDS = {True: "holds", False: "does not hold", None: "not measured"}
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of a prepared data set.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write. Run again after an interruption: it goes on.")]
Seed = Annotated[int | None, typer.Option(help="In place of the recipe's seed.", min=0)]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file naming what differs from the defaults.")]


@contextmanager
def _refusals() -> Iterator[None]:
    """What the input is to blame for ends in one line and status 2; anything else is a bug and shows its traceback."""
    try:
        yield
    except (DataError, ConfigError, ArtefactError) as error:
        typer.echo("refused: " + "; ".join(map(str.strip, str(error).splitlines())), err=True)
        raise typer.Exit(2) from error
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        typer.echo(f"refused: {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(2) from error


def _say(text: str) -> None:
    """Of several processes one speaks."""
    if Processes.here().writes:
        typer.echo(text, err=True)


@app.command("prepare")
def _prepare(
    source: Annotated[
        str, typer.Argument(help="movielens-100k, amazon-2018, amazon-2023, unisrec, local or synthetic.")
    ],
    out: OutFolder,
    path: Annotated[Path | None, typer.Option(help="Folder that the sources local and unisrec read.")] = None,
    category: Annotated[str | None, typer.Option(help="Of an Amazon release, such as Gift_Cards.")] = None,
    pictures: Annotated[
        int | None, typer.Option(help="Of an Amazon release: fetch at most so many pictures (default none).", min=0)
    ] = None,
    split: Annotated[str | None, typer.Option(help="leave-one-out (default) or time.")] = None,
    min_count: Annotated[
        int | None, typer.Option(help="Keep users and items met at least this often (k-core).")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="minilm (default), hashed-words, a folder, or a hub name.")
    ] = None,
    image_encoder: Annotated[
        str | None, typer.Option(help="efficientnet-lite0 (default), mean-colours, a folder, a hub name, or none.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Read a source, check it, split it, encode its texts and pictures: one data set, ready."""
    with _refusals():
        flags = {"source": source, "path": path, "split": split, "min_count": min_count, "encoder": encoder}
        flags |= {"category": category, "pictures": pictures, "image_encoder": image_encoder}
        prepare(PrepareConfig.from_toml(config, flags), out)


@app.command("pretrain")
def _pretrain(
    teacher: Annotated[str, typer.Argument(help=TEACHERS)],
    data: Annotated[list[Path], typer.Option(help="Folder of a prepared data set; several make one corpus.")],
    out: OutFolder,
    config: ConfigFile = None,
    seed: Seed = None,
) -> None:
    """Pre-train a teacher on several data sets."""
    with _refusals():
        kind = teacher_kind(teacher)
        recipe = kind.recipe.from_toml(config).seeded(seed)
        datasets = [_read(one, recipe) for one in data]
        _report(pretrain(kind, datasets, recipe, out), out)


@app.command("finetune")
def _finetune(
    teacher: Annotated[str, typer.Argument(help=TEACHERS)],
    data: DataFolder,
    out: OutFolder,
    init: Annotated[
        Path | None, typer.Option(help="Folder of the pre-trained teacher, or the file that its authors published.")
    ] = None,
    config: ConfigFile = None,
    seed: Seed = None,
) -> None:
    """Fit a teacher to one catalogue."""
    with _refusals():
        kind = teacher_kind(teacher)
        recipe = kind.recipe.from_toml(config).seeded(seed)
        _report(finetune(kind, _read(data, recipe), recipe, out, init), out)


@app.command("gather")
def _gather(
    data: DataFolder,
    teacher: Annotated[
        list[Path], typer.Option(help="Folder of a fine-tuned teacher; in the order of rows A1, A2, A3.")
    ],
    out: OutFolder,
    rows: Annotated[
        int, typer.Option(help="A teacher that needs a pass for each row (Recformer) scores this many; 0: all.", min=0)
    ] = 0,
    ease: Annotated[bool, typer.Option(help="A linear teacher (EASE) after these: what is met together.")] = False,
    transitions: Annotated[
        bool, typer.Option(help="A counting teacher (sequential rules) as the last: what comes soon after what.")
    ] = False,
) -> None:
    """Let the teachers score every train row, and keep what they say."""
    with _refusals():
        dataset = Dataset.read(data)
        forms = [form for form, wanted in ((EaseConfig(), ease), (TransitionsSearch(), transitions)) if wanted]
        found = gather(dataset, [load_any_teacher(one, dataset) for one in teacher], out, rows, closed_forms=forms)
        for one in found.teachers:
            _say(
                f"{one.name}: {one.rows:,} rows, {one.bytes / 1e6:.1f} MB, {one.seconds:.1f} s, "
                f"calibration {one.calibration:.2f}"
            )
            if one.repeats is not None:
                _say(
                    f"  {one.repeats.said:.1%} of its probability is on what was seen before, "
                    f"{one.repeats.came_back:.1%} come back; with repeat_offsets that is moved by "
                    f"{one.repeats.offset:+.2f}"
                )
        _say(f"knowledge of {len(found.teachers)} teacher(s) lies in {out}")


@app.command("distill")
def _distill(
    student: Annotated[str, typer.Argument(help=STUDENTS)],
    data: DataFolder,
    out: OutFolder,
    knowledge: Annotated[Path | None, typer.Option(help="Folder that `gather` wrote; none: row A0.")] = None,
    row: Annotated[
        str | None,
        typer.Option(help="A0 to A19, C1 to C11 (docs/distillation.md); default A7, or A0 without knowledge."),
    ] = None,
    config: ConfigFile = None,
    seed: Seed = None,
) -> None:
    """Train a student, with teachers or without."""
    with _refusals():
        chosen = row or ("A7" if knowledge else "A0")
        recipe = DistillConfig.from_toml(config).seeded(seed)
        _report(distill(Assignment(student, chosen, knowledge), Dataset.read(data), recipe, out), out)


@app.command("search")
def _search(
    student: Annotated[str, typer.Argument(help=STUDENTS)],
    data: DataFolder,
    out: OutFolder,
    config: Annotated[Path, typer.Option("--config", help="TOML file: [grid], and [base] for what is common.")],
    knowledge: Annotated[Path | None, typer.Option(help="Folder that `gather` wrote.")] = None,
    row: Annotated[str, typer.Option(help="Of the study.")] = "A7",
    jobs: Annotated[int, typer.Option(help="Trainings side by side.", min=1)] = 1,
) -> None:
    """Try a grid of recipes; validation decides."""
    with _refusals():
        plan = SearchPlan(Assignment(student, row, knowledge), data, out, jobs)
        found = search(plan, SearchConfig.from_toml(config))
        for trial in found.trials:
            told = ", ".join(f"{name} {value:.4f}" for name, value in trial.by_protocol.items())
            _say(f"validation {told}, epoch {trial.best_epoch}, {trial.seconds:.0f} s: {trial.point}")
        _say(f"best: {best_point(found.trials)}")


@app.command("study")
def _study(
    data: DataFolder,
    knowledge: Annotated[Path, typer.Option(help="Folder that `gather` wrote.")],
    out: OutFolder,
    student: Annotated[list[str] | None, typer.Option(help=f"{STUDENTS} Default: sasrec.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="Default: all for which there are teachers.")] = None,
    seeds: Annotated[int, typer.Option(help="How many, from 0 on.", min=1)] = 3,
    jobs: Annotated[int, typer.Option(help="Trainings side by side.", min=1)] = 1,
    config: ConfigFile = None,
    train: Annotated[bool, typer.Option(help="Off: train nothing, tell what is done.")] = True,
) -> None:
    """Rows x students x seeds: report.json, report.html and plots. Run again: what is done is not done again."""
    with _refusals():
        plan = Plan(data, knowledge, out, tuple(student or ("sasrec",)), tuple(row or ()), seeds, jobs, train)
        found = study(plan, StudyConfig.from_toml(config))
        for verdict in found.verdicts:
            _say(f"{HOLDS[verdict.holds]}: {verdict.student}, {verdict.protocol}: {verdict.text}")
        _say(f"the report lies in {out}")


@app.command("evaluate")
def _evaluate(
    folder: Annotated[list[Path], typer.Argument(help="Folders of teachers and students.")],
    data: DataFolder,
    as_json_text: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    floors: Annotated[bool, typer.Option(help="Popularity, item-kNN and Markov beside them.")] = True,
) -> None:
    """Rank the whole catalogue for every test user, history masked and unmasked; and what serving loses, if it does."""
    with _refusals():
        dataset = Dataset.read(data)
        report, losses = evaluate(folder, dataset, with_floors=floors), serving_losses(folder, dataset)
        if as_json_text:
            typer.echo(json.dumps(as_json(report, losses), indent=1))
            return
        labels = {str(one): f"{read_record(one).label} ({one})" for one in folder}
        users, items = len(dataset.split.test), len(dataset.catalog)
        title = f"{dataset.name}, {dataset.split.name}, {users:,} test users, all {items:,} items ranked"
        Console(width=160).print(as_table(report, labels, title))
        for name, lost in losses.items():
            typer.echo(f"{labels[name]}: {lost}")


def _read(folder: Path, recipe: TeacherRecipe) -> Dataset:
    """A data set; what the teacher will not find in it is said."""
    dataset = Dataset.read(folder)
    counts, reads = dataset.counts, recipe.model.content_fields
    for what, number, field in (
        ("text", counts.without_text, "text_encoder"),
        ("picture", counts.without_image, "image_encoder"),
    ):
        if number > 0 and field in reads:
            _say(f"{dataset.name}: {number:,} of {counts.items:,} items have no {what}")
    return dataset


def _report(record: ModelRecord, out: Path) -> None:
    best = record.curve[record.best_epoch - 1]
    _say(
        f"{record.label}: {record.parameters:,} parameters, best epoch {record.best_epoch} of {len(record.curve)} "
        f"(validation {best.validation:.4f}), {record.seconds:.0f} s; it lies in {out}"
    )
    if record.cut_short:
        _say(f"{record.label}: it was ended by its limit of epochs, and may have gone on learning")
