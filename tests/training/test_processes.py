"""Two processes learn what one learns: real processes, started as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from training.artefacts import WEIGHTS, ModelRecord, read_record
from training.commands import app
from training.config import ConfigError
from training.fitting import STATE
from training.processes import Processes, across_processes

WORKER = Path(__file__).with_name("in_two_processes.py")
ROOT = Path(__file__).parents[2]
DATA = """
image_encoder = "none"
[synthetic]
users = 60
items = 30
clusters = 5
max_length = 14
"""
FIT = """
[pretrain.fit]
epochs = 2
rows_per_batch = 64
learning_rate = 1e-3
device = "cpu"
[finetune.fit]
epochs = 2
rows_per_batch = 64
learning_rate = 1e-3
averaging = 0.9
device = "cpu"
"""
CAUSAL = """
[model]
experts = 2
adaptor_dropout = 0.0
gate_noise = false
[model.encoder]
width = 16
inner = 16
layers = 1
dropout = 0.0
max_history = 6
[pretrain]
sequence_weight = 0.0
"""
RECIPES = {
    "unisrec": CAUSAL + "[finetune]\nfreeze_sequence_encoder = false" + FIT,
    "unim2rec": CAUSAL.replace("[model.encoder]", "modality_dropout = 0.0\n[model.encoder]") + FIT,
    "recformer": """
[model]
backbone = "none"
dropout = 0.0
max_items = 5
max_tokens = 40
[model.random]
words = 128
width = 16
[finetune]
second_epochs = 0
[finetune.fit]
epochs = 1
rows_per_batch = 64
device = "cpu"
""",
}
"""Nothing is drawn at random but the order of the examples: dropout, noise and second views are off."""
STEPS = (("pretrain", "unisrec"), ("finetune", "unisrec"), ("pretrain", "unim2rec"), ("finetune", "recformer"))


@dataclass(frozen=True)
class Runs:
    """The same command lines in one process and in two."""

    alone: Path
    together: Path

    @property
    def said(self) -> list[dict[str, Any]]:
        """What each of the two processes noted."""
        return [json.loads((self.together / f"{rank}.json").read_bytes()) for rank in (0, 1)]


def commands(data: Path, recipes: Path, out: Path) -> list[list[str]]:
    return [
        [*words, "--data", str(data), "--config", str(recipes / f"{words[1]}.toml"), "--out", str(out.joinpath(*words))]
        for words in STEPS
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("processes")
    (root / "data.toml").write_text(DATA, encoding="utf-8")
    for name, text in RECIPES.items():
        (root / f"{name}.toml").write_text(text, encoding="utf-8")
    prepare = ["prepare", "synthetic", "--encoder", "hashed-words", "--out", str(root / "data")]
    for words in ([*prepare, "--config", str(root / "data.toml")], *commands(root / "data", root, root / "alone")):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    steps = commands(root / "data", root, root / "together")
    fitted = root / "together" / "finetune" / "unisrec"
    gather = ["gather", "--data", str(root / "data"), "--teacher", str(fitted), "--out", str(root / "knowledge")]
    (root / "commands.json").write_text(json.dumps([*steps, gather]))
    (root / "together").mkdir()
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(WORKER)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*started, str(root / "commands.json"), str(root / "together")],
        check=True,
        env=environment,
        cwd=root,
        timeout=200,
    )
    return Runs(root / "alone", root / "together")


def test_the_processes_know_of_each_other(runs: Runs) -> None:
    assert [one["count"] for one in runs.said] == [2, 2]
    assert [one["total"] for one in runs.said] == [4, 4]
    assert [one["mean"] for one in runs.said] == [2, 2]


def test_no_thread_of_the_group_outlives_it(runs: Runs) -> None:
    """One that did would abort the process as it ends, now and then."""
    assert [one["left"] for one in runs.said] == [[], []]


def test_what_two_processes_would_write_over_each_other_is_refused(runs: Runs) -> None:
    """The last command line is a `gather`."""
    assert [one["codes"] for one in runs.said] == [[0] * len(STEPS) + [2]] * 2
    assert not runs.alone.with_name("knowledge").exists()


@pytest.mark.parametrize("case", [0, 1, 2])
def test_every_process_sees_all_rows_in_one_order_and_knows_where_its_own_are(runs: Runs, case: int) -> None:
    first, second = (one["exchanged"][case] for one in runs.said)
    assert first["rows"] == second["rows"] == torch.arange(14.0).view(7, 2)[: len(first["rows"])].tolist()
    assert first["start"] == 0
    assert second["start"] == first["held"]
    assert len(first["rows"]) == first["held"] + second["held"]


@pytest.mark.parametrize("case", [0, 1, 2])
def test_rows_learn_from_the_losses_of_all_processes(runs: Runs, case: int) -> None:
    """The loss of process p is (1 + p) <weight, rows>, so the rows' gradient is 1 + 2 times their weight."""
    found = [one["exchanged"][case] for one in runs.said]
    weight = np.arange(1.0, 1 + np.size(found[0]["rows"])).reshape(-1, 2)
    assert np.array_equal([row for one in found for row in one["gradient"]], 3 * weight)


def test_labels_are_exchanged_too(runs: Runs) -> None:
    assert [one["labels"] for one in runs.said] == [[0, 7, 1, 7]] * 2


def points(record: ModelRecord, what: str) -> list[float]:
    return [getattr(point, what) for point in record.curve]


@pytest.mark.parametrize("words", STEPS, ids=" ".join)
def test_two_processes_learn_what_one_learns(runs: Runs, words: tuple[str, str]) -> None:
    alone, together = (read_record(root.joinpath(*words)) for root in (runs.alone, runs.together))
    assert points(together, "loss") == pytest.approx(points(alone, "loss"), rel=1e-4)
    assert points(together, "loss") != points(alone, "loss")  # sums in another order: there were two
    assert together.best_epoch == alone.best_epoch
    assert together.data == alone.data


@pytest.mark.parametrize("words", STEPS[:3], ids=" ".join)
def test_two_processes_come_to_the_same_weights(runs: Runs, words: tuple[str, str]) -> None:
    """Not Recformer: weights whose gradient is 0 but for rounding take steps of Adam's that are as long as others'."""
    alone, together = (root.joinpath(*words) for root in (runs.alone, runs.together))
    wanted, found = load_file(alone / WEIGHTS), load_file(together / WEIGHTS)
    assert list(found) == list(wanted)
    for part in wanted:
        assert torch.allclose(found[part], wanted[part], rtol=0, atol=1e-4), part
    assert points(read_record(together), "validation") == pytest.approx(
        points(read_record(alone), "validation"), rel=1e-4
    )


def test_one_process_wrote_and_nothing_is_left_over(runs: Runs) -> None:
    names = {path.relative_to(runs.alone) for path in runs.alone.rglob("*")}
    assert {path.relative_to(runs.together) for path in runs.together.rglob("*")} - names == {
        Path("0.json"),
        Path("1.json"),
    }
    assert not list(runs.together.rglob(STATE))


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(SIZES, st.integers(2, 4))
def test_every_example_is_learnt_once_and_every_process_has_one_of_each_step(sizes: list[int], count: int) -> None:
    numbers = np.arange(sum(sizes))
    steps = np.split(numbers, np.cumsum(sizes)[:-1])
    if numbers.size < count:
        with pytest.raises(ConfigError, match=f"{numbers.size} examples to learn from are too few for {count}"):
            Processes(0, count).shares(steps)
        return
    shares = [Processes(rank, count).shares(steps) for rank in range(count)]
    assert len({len(one) for one in shares}) == 1  # or they would wait for each other for ever
    assert all(step.size for one in shares for step in one)
    assert sorted(np.concatenate([step for one in shares for step in one]).tolist()) == numbers.tolist()
    for parts in zip(*shares, strict=True):
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_steps_that_are_big_enough_stay_as_they_are() -> None:
    steps = np.split(np.arange(20), [7, 11])
    shares = [Processes(rank, 2).shares(steps) for rank in range(2)]
    for whole, *parts in zip(steps, *shares, strict=True):
        assert sorted(np.concatenate(parts).tolist()) == whole.tolist()


def test_a_process_alone_exchanges_nothing() -> None:
    alone = Processes.here()
    rows: Tensor = torch.ones(3, 2, requires_grad=True)
    assert across_processes(rows).rows is rows
    assert (alone.count, alone.alone, alone.writes) == (1, True, True)
    steps = [np.array([3]), np.array([], dtype=np.int64)]
    assert alone.shares(steps) is steps
    assert alone.total(2.5) == alone.mean(2.5) == 2.5
    assert alone.device(torch.device("meta")) == torch.device("meta")
