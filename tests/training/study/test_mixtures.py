"""Every mixture of teachers, measured on validation users, and what the command prints and keeps of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.mixtures import app
from training.dataset import Dataset
from training.distillation.cast import heard
from training.distillation.rows import study_row
from training.distillation.user_weighing import STRENGTHS, UserConfidence, WeighedMixture
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import ranks_by_protocol
from training.evaluation.selection import selection_half
from training.knowledge import TeacherKnowledge
from training.study.mixtures import Mixture, mixtures
from training.study.references import MemoryScorer


@pytest.fixture(scope="module")
def found(markov: Dataset, both_known: Path) -> tuple[Mixture, ...]:
    return tuple(mixtures(markov, TeacherKnowledge.read(both_known, markov)))


def test_there_is_one_of_every_set_of_teachers_then_the_weighed_and_the_broken_ones(found: tuple[Mixture, ...]) -> None:
    first, second = found[0].heard[0], found[1].heard[0]
    broken = (f"{first} shuffled", second)
    assert [one.heard for one in found] == [(first,), (second,), *[(first, second)] * 2, broken, broken]
    assert [one.strength is not None for one in found] == [False, False, False, True, False, True]


def test_figures_are_those_of_the_half_that_selects(
    found: tuple[Mixture, ...], markov: Dataset, both_known: Path
) -> None:
    teachers, rows = TeacherKnowledge.read(both_known, markov).teachers, selection_half(markov.split.validation)
    for one, some in zip(found, (teachers[:1], teachers[1:], teachers), strict=False):
        ranks = ranks_by_protocol(MemoryScorer(some), markov.interactions, rows)
        assert one.ndcg == {protocol: ndcg(ranks[protocol], 10) for protocol in ranks}


def test_a_weighed_mixture_is_measured_at_the_strength_that_is_told(
    found: tuple[Mixture, ...], markov: Dataset, both_known: Path
) -> None:
    knowledge, told = TeacherKnowledge.read(both_known, markov), found[5]
    teaching = study_row("C11").teaching
    assert teaching is not None
    assert told.strength is not None
    teachers = heard(teaching, knowledge, markov)
    rows = selection_half(markov.split.validation)
    for protocol, strength in told.strength.items():
        mixture = WeighedMixture(teachers, UserConfidence.of(markov, teachers), (strength, 2 * strength))
        assert told.ndcg[protocol] == ndcg(ranks_by_protocol(mixture, markov.interactions, rows)[protocol], 10)


def test_a_good_teacher_that_breaks_costs_the_mean_more_than_it_costs_weights(
    markov: Dataset, both_known: Path
) -> None:
    knowledge = TeacherKnowledge.read(both_known, markov)
    good_first = TeacherKnowledge(knowledge.record, knowledge.teachers[::-1])
    mean, weighed, broken, broken_but_weighed = list(mixtures(markov, good_first))[2:]
    assert broken_but_weighed.strength is not None
    for protocol in mean.ndcg:
        cost = mean.ndcg[protocol] - broken.ndcg[protocol]
        assert cost > weighed.ndcg[protocol] - broken_but_weighed.ndcg[protocol] > 0
        assert broken_but_weighed.strength[protocol] in STRENGTHS[1:]


def test_of_one_teacher_there_is_nothing_to_weigh(markov: Dataset, both_known: Path) -> None:
    knowledge = TeacherKnowledge.read(both_known, markov)
    (alone,) = mixtures(markov, TeacherKnowledge(knowledge.record, knowledge.teachers[:1]))
    assert alone.strength is None


def test_the_command_prints_and_keeps_them(markov: Dataset, both_known: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "mixtures.json"
    options = ["--data", str(markov.folder), "--knowledge", str(both_known), "--users", "50", "--out", str(out)]
    said = CliRunner().invoke(app, options)
    assert said.exit_code == 0, said.output
    kept = json.loads(out.read_text("utf-8"))
    lines = [line for line in said.output.splitlines() if line.startswith((".", "0."))]
    assert len(lines) == len(kept["mixtures"]) == 6
    assert "weighed at" in lines[3]
    assert kept["users"] == 50
