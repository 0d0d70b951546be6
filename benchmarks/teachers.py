"""The teachers on real data: pre-trained on four domains, fitted to each target with and without, measured, drawn.

    python -m benchmarks.teachers run --sets FOLDER [--jobs 2]      train what is not trained yet, measure it
    python -m benchmarks.teachers run --sets FOLDER --no-compare    only what the studies need
    python -m benchmarks.teachers draw                              the plot in docs, out of the stored results

FOLDER holds data sets in the form of the source `local`, one folder each. Every training is a command line of its own:
killed and started again, it goes on. What is finished is not done again. Results lie in benchmarks/results/teachers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from threading import Lock
from typing import Annotated, Any

import matplotlib.pyplot as plt
import typer
from matplotlib.axes import Axes

from training.artefacts import read_record

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

SOURCES = ("amazon_games", "amazon_office_2014", "online_retail", "amazon_giftcards")
"""Pre-trained on their train rows, once for all targets. Two are targets, too: these have met their own train rows
before, and no held-out row of any set."""
TARGETS = ("amazon_scientific", "amazon_office_2014", "online_retail", "movies_ml1m")
TEACHERS = ("unisrec", "unim2rec", "recformer")
SEEDS = {("unisrec", "amazon_scientific"): 3, ("unim2rec", "amazon_scientific"): 3}
"""How many fine-tunings; 1 where nothing stands here: hours on two cores."""
STUDIED = (True, 0)
"""Pre-trained, seed 0: the fine-tuning that students learn from."""
RESULTS = Path("benchmarks/results/teachers")
PICTURE = Path("docs/img/teachers.png")


@dataclass(frozen=True)
class Job:
    """One command line, and the file that is there when it is done."""

    arguments: tuple[str, ...]
    makes: Path
    log: Path

    def run(self) -> str:
        """Do it unless it is done; what it printed is kept.

        Raises:
            RuntimeError: it failed; the log is named.
        """
        if self.makes.is_file():
            return f"there already: {self.makes.parent}"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.log.open("a", encoding="utf-8") as log:
            command = [sys.executable, "-m", "training", *self.arguments]
            found = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)  # noqa: S603
        if found.returncode:
            raise RuntimeError(f"{' '.join(self.arguments)} ended with {found.returncode}: see {self.log}")
        return f"{time.perf_counter() - started:.0f} s: {self.makes.parent}"


@dataclass(frozen=True)
class Places:
    """Where everything lies."""

    sets: Path
    build: Path
    recipes: Path = Path("configs/teachers")

    def data(self, name: str) -> Path:
        """A prepared data set."""
        return self.build / name / "data"

    def pretrained(self, teacher: str) -> Path:
        """A pre-trained teacher."""
        return self.build / "teachers" / teacher / "pretrained"

    def tuned(self, teacher: str, target: str, how: tuple[bool, int]) -> Path:
        """A fine-tuned teacher; how: (pre-trained before, seed)."""
        begun = "pretrained" if how[0] else "fresh"
        return self.build / "teachers" / teacher / target / f"{begun}-{how[1]}"

    def prepare(self, name: str) -> Job:
        """The job that prepares a data set."""
        out = self.data(name)
        arguments = ("prepare", "local", "--path", str(self.sets / name), "--out", str(out))
        return Job(arguments, out / "dataset.json", self.build / "logs" / f"prepare-{name}.log")

    def pretrain(self, teacher: str) -> Job:
        """The job that pre-trains a teacher."""
        out = self.pretrained(teacher)
        data = [word for name in SOURCES for word in ("--data", str(self.data(name)))]
        arguments = ("pretrain", teacher, *data, "--out", str(out), "--config", str(self.recipes / f"{teacher}.toml"))
        return Job(arguments, out / "model.json", self.build / "logs" / f"pretrain-{teacher}.log")

    def finetune(self, teacher: str, target: str, how: tuple[bool, int]) -> Job:
        """The job that fits a teacher to a target."""
        out = self.tuned(teacher, target, how)
        init = ("--init", str(self.pretrained(teacher))) if how[0] else ()
        config = self.recipes / target / f"{teacher}.toml"
        arguments = ("finetune", teacher, "--data", str(self.data(target)), *init, "--out", str(out))
        options = ("--config", str(config), "--seed", str(how[1]))
        log = self.build / "logs" / f"finetune-{teacher}-{target}-{out.name}.log"
        return Job((*arguments, *options), out / "model.json", log)


@app.command("run")
def run(
    sets: Annotated[Path, typer.Option(help="Folder with the data sets.")],
    build: Annotated[Path, typer.Option(help="Where everything is built.")] = Path("build"),
    jobs: Annotated[int, typer.Option(help="Trainings side by side, one thread each.", min=1)] = 2,
    recipes: Annotated[Path, typer.Option(help="Folder of the recipes.")] = Path("configs/teachers"),
    teacher: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    compare: Annotated[bool, typer.Option(help="Off: only what the studies need, and nothing is measured.")] = True,
) -> None:
    """Train what is not trained yet, and measure it."""
    places, teachers, targets = Places(sets, build, recipes), teacher or list(TEACHERS), target or list(TARGETS)
    _all([places.prepare(name) for name in dict.fromkeys((*SOURCES, *targets))], 1)
    _all([places.pretrain(one) for one in teachers], jobs)
    tunings = _tunings(teachers, targets)
    _all([places.finetune(*one) for one in tunings if compare or one[2] == STUDIED], jobs)
    for name in targets if compare else ():
        measure(places, name)


@app.command("measure")
def measure_command(
    build: Annotated[Path, typer.Option(help="Where everything was built.")] = Path("build"),
) -> None:
    """Measure what is trained."""
    for name in TARGETS:
        measure(Places(Path(), build), name)


def _tunings(teachers: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str, tuple[bool, int]]]:
    """First seeds first, so that an interrupted run has something of everything."""
    wanted = [
        (seed, (teacher, target, (pretrained, seed)))
        for teacher in teachers
        for target in targets
        for seed in range(SEEDS.get((teacher, target), 1))
        for pretrained in (True, False)
    ]
    return [one for _, one in sorted(wanted, key=lambda pair: pair[0])]


def _all(jobs: Sequence[Job], side_by_side: int) -> None:
    said = Lock()

    def one(job: Job) -> None:
        text = job.run()
        with said:
            typer.echo(text)

    with ThreadPoolExecutor(side_by_side) as pool:
        list(pool.map(one, jobs))


def measure(places: Places, target: str) -> None:
    """Evaluate every teacher of one target, beside the floors; one JSON file."""
    named = {
        (teacher, how): places.tuned(teacher, target, how)
        for teacher, _, how in _tunings(TEACHERS, [target])
        if (places.tuned(teacher, target, how) / "model.json").is_file()
    }
    command = [sys.executable, "-m", "training", "evaluate", *map(str, named.values())]
    command += ["--data", str(places.data(target)), "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    rows = [
        _row(
            places,
            (teacher, pretrained),
            report,
            [folder for key, folder in named.items() if key[0] == teacher and key[1][0] == pretrained],
        )
        for teacher in TEACHERS
        for pretrained in (True, False)
        if any(key[0] == teacher and key[1][0] == pretrained for key in named)
    ]
    floors = {name: found for name, found in report.items() if name not in {str(one) for one in named.values()}}
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = {"target": target, "pretrained_on": SOURCES, "teachers": rows, "floors": floors}
    (RESULTS / f"{target}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _row(places: Places, which: tuple[str, bool], report: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """One teacher, with or without pre-training: the mean over its seeds, and what it cost."""
    teacher, pretrained = which
    records = [read_record(folder) for folder in folders]
    found = [report[str(folder)] for folder in folders]
    flat = [
        {**{k: v for k, v in one.items() if k != "masked"}, **{f"{k} masked": v for k, v in one["masked"].items()}}
        for one in found
    ]
    before = read_record(places.pretrained(teacher)).seconds if pretrained else 0.0
    return {
        "teacher": teacher,
        "pretrained": pretrained,
        "seeds": len(records),
        "parameters": records[0].parameters,
        "pretrain_seconds": before,
        "finetune_seconds": mean(one.seconds for one in records),
        "best_epoch": [one.best_epoch for one in records],
        "validation": [one.curve[one.best_epoch - 1].validation for one in records],
        "curves": [[point.validation for point in one.curve] for one in records],
        "mean": {name: mean(one[name] for one in flat) for name in flat[0]},
        "sd": {name: stdev(one[name] for one in flat) if len(flat) > 1 else None for name in flat[0]},
    }


@app.command("draw")
def draw() -> None:
    """The plot in docs, out of the stored results."""
    found = [
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in TARGETS
        if (RESULTS / f"{name}.json").is_file()
    ]
    figure, axes = plt.subplots(1, len(found), figsize=(6 * len(found), 3.6), layout="constrained", squeeze=False)
    for axis, one in zip(axes[0], found, strict=True):
        _bars(axis, one)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    figure.savefig(PICTURE, dpi=110)
    typer.echo(f"drawn: {PICTURE}")


def _bars(axis: Axes, found: dict[str, Any]) -> None:
    """One target: two bars a teacher, the floors as lines."""
    metric = "ndcg@10 masked"
    names = [name for name in TEACHERS if any(row["teacher"] == name for row in found["teachers"])]
    for row in found["teachers"]:
        shift, colour = (0.2, "#1f6f8b") if row["pretrained"] else (-0.2, "#b9cbd1")
        place = names.index(row["teacher"]) + shift
        axis.bar(place, row["mean"][metric], 0.38, color=colour, yerr=row["sd"][metric])
        axis.annotate(
            f"{row['mean'][metric]:.4f}"[1:], (place, row["mean"][metric]), ha="center", va="bottom", fontsize=8
        )
    for name, style in (("item-kNN", "--"), ("last-item Markov", ":"), ("popularity", "-.")):
        if name in found["floors"]:
            axis.axhline(
                found["floors"][name]["masked"]["ndcg@10"], linestyle=style, color="#555555", linewidth=1, label=name
            )
    axis.bar(0, 0, color="#b9cbd1", label="from nothing")
    axis.bar(0, 0, color="#1f6f8b", label="pre-trained on four other domains")
    axis.set_xticks(range(len(names)), names)
    axis.set_title(found["target"])
    axis.set_ylabel("NDCG@10, history masked")
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    app()
