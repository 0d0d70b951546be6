"""What the input is to blame for ends in one line and status 2; the steps fit together by their folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.commands import app
from training.dataset import Dataset

TEACHER = """
[model]
experts = 2
[model.encoder]
width = 8
inner = 8
layers = 1
max_history = 4
[pretrain.fit]
epochs = 1
device = "cpu"
[finetune.fit]
epochs = 1
device = "cpu"
"""
STUDENT = """
[student.encoder]
width = 8
inner = 8
layers = 1
max_history = 4
[fit]
epochs = 1
device = "cpu"
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result) -> str:
    """The one line that a refusal is."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("refused: ")
    return line


def test_the_help_of_a_search_names_the_tables_of_its_file() -> None:
    """Words in brackets are no marks of style."""
    assert "[grid], and [base]" in " ".join(run("search", "--help").stdout.split())


@pytest.fixture
def recipes(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "teacher.toml", tmp_path / "student.toml"
    for path, text in zip(paths, (TEACHER, STUDENT), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_the_steps_lead_from_data_to_numbers(markov: Dataset, recipes: tuple[Path, Path], tmp_path: Path) -> None:
    data, (teacher, student) = markov.folder, recipes
    pretrained, fitted, knowledge, out = (tmp_path / name for name in ("pretrained", "fitted", "knowledge", "student"))
    steps: list[tuple[str | Path, ...]] = [
        ("pretrain", "unisrec", "--data", data, "--out", pretrained, "--config", teacher),
        ("finetune", "unisrec", "--data", data, "--out", fitted, "--init", pretrained, "--config", teacher),
        ("gather", "--data", data, "--teacher", fitted, "--out", knowledge),
        ("distill", "sasrec", "--data", data, "--out", out, "--knowledge", knowledge, "--config", student),
    ]
    for step in steps:
        result = run(*step)
        assert result.exit_code == 0, result.output
        assert result.stdout == ""  # standard output is for results
        assert str(step[step.index("--out") + 1]) in result.stderr.replace("\n", "")
        told = "may have gone on learning" in result.stderr.replace("\n", " ")
        assert told == (step[0] in {"finetune", "distill"}), "one epoch is all that they were given"
        repeats = re.search(r"[\d.]+% of its probability is on what was seen before, [\d.]+% come back", result.stderr)
        assert (repeats is not None) == (step[0] == "gather")
    found = json.loads(run("evaluate", out, fitted, "--data", data, "--json").stdout)
    assert list(found)[:2] == [str(out), str(fitted)]
    shown = run("evaluate", out, "--data", data, "--no-floors")
    assert shown.exit_code == 0
    assert "sasrec A7" in shown.stdout
    assert "popularity" not in shown.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("distill", "sasrec", "--row", "A7"), "row A7 .* needs --knowledge"),
        (("distill", "sasrec", "--row", "A99"), "no row is called 'A99'"),
        (("distill", "gru"), "no student is called 'gru'"),
        (("distill", "sasrec", "--knowledge", "nowhere"), "nowhere holds no knowledge"),
        (("distill", "sasrec", "--config", "nowhere.toml"), r"nowhere\.toml: No such file"),
        (("finetune", "bert"), "no teacher is called 'bert'"),
        (("finetune", "unisrec", "--init", "nowhere"), "nowhere holds no trained model"),
        (("pretrain", "bert"), "no teacher is called 'bert'"),
        (("gather", "--teacher", "nowhere"), "nowhere holds no trained model"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_nothing_is_written(
    markov: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(run(*words, "--data", markov.folder, "--out", "out"))
    assert re.search(message, line), line
    assert not Path("out").exists()


def test_a_folder_that_is_no_data_set_is_refused_by_every_step(tmp_path: Path) -> None:
    out = ("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    for words in (
        ("pretrain", "unisrec"),
        ("finetune", "unisrec"),
        ("distill", "sasrec"),
        ("gather", "--teacher", "x"),
    ):
        assert "nowhere holds no prepared data set" in refused(run(*words, *out))
    assert "nowhere" in refused(run("evaluate", tmp_path, "--data", tmp_path / "nowhere"))


def test_a_misspelt_key_is_refused_by_file_and_key(markov: Dataset, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[fit]\nlearning_rte = 1e-3\n", encoding="utf-8")
    line = refused(run("distill", "sasrec", "--data", markov.folder, "--out", tmp_path / "o", "--config", recipe))
    assert f"{recipe}: fit.learning_rte: Extra inputs" in line


def test_a_size_that_the_student_does_not_know_is_refused(markov: Dataset, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[student.encoder]\nwidth = 10\nheads = 4\n", encoding="utf-8")
    line = refused(run("distill", "sasrec", "--data", markov.folder, "--out", tmp_path / "o", "--config", recipe))
    assert "width 10 is no multiple of heads 4" in line


def test_a_model_of_other_data_is_not_measured(noise: Dataset, text_teacher: Path) -> None:
    assert "was made from" in refused(run("evaluate", text_teacher, "--data", noise.folder))


def test_without_a_step_the_steps_are_listed() -> None:
    shown = run().output
    for step in ("prepare", "pretrain", "finetune", "gather", "distill", "evaluate"):
        assert step in shown


def test_a_file_where_a_folder_is_to_be_written_is_refused(
    markov: Dataset, recipes: tuple[Path, Path], tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = run("distill", "sasrec", "--data", markov.folder, "--out", taken, "--config", recipes[1])
    assert str(taken) in refused(done)
    assert taken.read_text() == "mine"
