from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.cast import HeardTeachers, popularity_teacher
from training.distillation.gate_weighing import gate_weights
from training.distillation.learned_gate import LearnedGateConfig
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.weighting import Judged
from training.knowledge import TeacherKnowledge
from training.vector_memory import HeldOut, TeacherMemory


def judged_on(dataset: Dataset, memories: tuple[TeacherMemory, ...], rows: np.ndarray) -> Judged:
    everything = torch.arange(1, len(dataset.catalog) + 1)
    opinions = TeacherPanel(memories, torch.device("cpu")).opinions(torch.tensor(rows), everything)
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)
    return Judged.of(opinions.log_p(1.0), target, opinions.present)


def test_a_teacher_that_answers_other_rows_loses_its_weight(markov: Dataset, both_known: Path) -> None:
    good, other = TeacherKnowledge.read(both_known, markov).with_vectors
    broken = other.shuffled(0)
    assert other.held_out is not None
    dealt = np.random.default_rng(0).permutation(len(other.held_out.row))
    held_out = HeldOut(other.held_out.row, other.held_out.user[dealt])
    memories = (good, replace(broken, held_out=held_out))
    weigh = gate_weights(markov, HeardTeachers(memories, "one broken"), LearnedGateConfig())
    rows = markov.split.train_rows(markov.interactions)[:400]
    weight = weigh(rows, judged_on(markov, memories, rows))
    assert torch.allclose(weight.sum(dim=0), torch.ones(400), atol=1e-5)
    assert weight[0].mean() > 0.8


def test_labels_of_the_rows_weighed_do_not_enter(markov: Dataset, both_known: Path) -> None:
    teachers = TeacherKnowledge.read(both_known, markov).with_vectors
    weigh = gate_weights(markov, HeardTeachers(teachers, "both"), LearnedGateConfig(steps=20))
    rows = markov.split.train_rows(markov.interactions)[:50]
    judged = judged_on(markov, teachers, rows)
    other = Judged(judged.log_p, (judged.target + 7) % 40, judged.present, judged.consistency)
    assert torch.equal(weigh(rows, judged), weigh(rows, other))


def test_a_teacher_that_was_not_asked_for_validation_rows_is_named(markov: Dataset, both_known: Path) -> None:
    known = TeacherKnowledge.read(both_known, markov).with_vectors[0]
    teachers = HeardTeachers((known, popularity_teacher(markov)), "one made up")
    with pytest.raises(ConfigError, match="popularity was not asked for validation"):
        gate_weights(markov, teachers, LearnedGateConfig())
