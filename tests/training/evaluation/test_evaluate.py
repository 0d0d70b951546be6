from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from training.artefacts import ArtefactMismatch, ArtefactMissing
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.evaluation.baselines import floors
from training.evaluation.evaluate import as_json, as_table, evaluate, load_model, serving_losses
from training.evaluation.metrics import summary
from training.evaluation.ranking import target_ranks
from training.students.sasrec import SASRec
from training.teachers.unisrec import UniSRec

METRICS = {"recall@10", "ndcg@10", "recall@50", "ndcg@50", "mrr", "users"}
FLOORS = ["popularity", "item-kNN", "last-item Markov"]


@pytest.fixture(scope="module")
def student(markov: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("student") / "A0"
    encoder = {"width": 8, "inner": 8, "layers": 1, "max_history": 4}
    config = {"student": {"encoder": encoder}, "fit": {"epochs": 1, "device": "cpu"}}
    distill(Assignment("sasrec", "A0", None), markov, DistillConfig.model_validate(config), out)
    return out


def test_a_folder_says_itself_what_it_holds(markov: Dataset, student: Path, text_teacher: Path) -> None:
    assert isinstance(load_model(student, markov), SASRec)
    assert isinstance(load_model(text_teacher, markov), UniSRec)


def test_every_model_and_every_floor_is_measured_both_ways(markov: Dataset, student: Path, text_teacher: Path) -> None:
    report = evaluate([student, text_teacher], markov, with_floors=True)
    assert list(report) == [str(student), str(text_teacher), *FLOORS]
    for found in report.values():
        assert set(found) == {"unmasked", "masked"}
        for metrics in found.values():
            assert set(metrics) == METRICS
            assert metrics["users"] == len(markov.split.test)
        assert found["masked"]["mrr"] >= found["unmasked"]["mrr"]  # fewer candidates, the target always among them


def test_floors_are_measured_as_they_are(markov: Dataset, student: Path) -> None:
    report = evaluate([student], markov, with_floors=True)
    for name, scorer in floors(markov.interactions, markov.split, len(markov.catalog)).items():
        for protocol in ("unmasked", "masked"):
            ranks = target_ranks(scorer, markov.interactions, markov.split.test, protocol)
            assert report[name][protocol] == summary(ranks)


def test_floors_can_be_left_out(markov: Dataset, student: Path) -> None:
    assert list(evaluate([student], markov, with_floors=False)) == [str(student)]


def test_json_has_the_unmasked_metrics_and_the_masked_beneath(markov: Dataset, student: Path) -> None:
    report = evaluate([student], markov, with_floors=False)
    found = json.loads(json.dumps(as_json(report)))[str(student)]
    assert set(found) == METRICS | {"masked"}
    assert found.pop("masked") == report[str(student)]["masked"]
    assert found == report[str(student)]["unmasked"]


def test_the_table_shows_every_name_and_the_best_in_bold() -> None:
    low, high = dict.fromkeys(METRICS, 0.25), dict.fromkeys(METRICS, 0.5)
    report = {"a": {"unmasked": low, "masked": high}, "b": {"unmasked": high, "masked": low}}
    shown = io.StringIO()
    Console(file=shown, width=200, force_terminal=True).print(as_table(report, {"a": "first (runs/[bold]1)"}, "title"))
    lines = shown.getvalue().splitlines()
    for name, best in (("first (runs/[bold]1)", 5), ("b", 5)):
        (line,) = (one for one in lines if f" {name} " in one)
        assert line.count("\x1b[1m.5000") == best
        assert line.count(".2500") == 5


def test_what_cannot_be_measured_is_refused(noise: Dataset, student: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactMismatch, match="was made from"):
        evaluate([student], noise, with_floors=True)
    with pytest.raises(ArtefactMissing, match="holds no trained model"):
        evaluate([tmp_path], noise, with_floors=True)


def test_what_serving_loses_stands_beside_the_fixed_keys(markov: Dataset, student: Path, tmp_path: Path) -> None:
    config = {"student": {"width": 8}, "fit": {"epochs": 1, "device": "cpu"}}
    distill(Assignment("lightgcn", "A0", None), markov, DistillConfig.model_validate(config), tmp_path / "graph")
    folders = [student, tmp_path / "graph"]
    losses = serving_losses(folders, markov)
    assert list(losses) == [str(tmp_path / "graph")]
    found = as_json(evaluate(folders, markov, with_floors=False), losses)
    assert set(found[str(student)]) == METRICS | {"masked"}
    graph = found[str(tmp_path / "graph")]
    assert set(graph) == METRICS | {"masked", "serving"}
    assert graph["serving"] == losses[str(tmp_path / "graph")].as_json()
    assert set(losses[str(tmp_path / "graph")].as_json()) == {
        "trained ndcg@10",
        "served ndcg@10",
        "overlap@10",
        "users",
    }
