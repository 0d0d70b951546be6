from pathlib import Path

import numpy as np
import torch

from training.dataset import Dataset
from training.evaluation.ranking import TwoTowerScorer, ranks_by_protocol
from training.knowledge import TeacherKnowledge
from training.study.findings import ENSEMBLE
from training.study.references import MemoryScorer, names, references
from training.teachers.steps import load_teacher


def test_a_teacher_ranks_by_its_memory_as_it_does_itself(markov: Dataset, both_known: Path, text_teacher: Path) -> None:
    memory = TeacherKnowledge.read(both_known, markov).teachers[0]
    rows = markov.split.test
    remembered = ranks_by_protocol(MemoryScorer([memory]), markov.interactions, rows)
    itself = ranks_by_protocol(TwoTowerScorer.of(load_teacher(text_teacher, markov)[0]), markov.interactions, rows)
    for protocol, ranks in itself.items():
        assert np.mean(np.abs(remembered[protocol] - ranks) <= 1) > 0.95  # fp16 may swap neighbours


def test_the_ensemble_is_the_mean_of_the_distributions(markov: Dataset, both_known: Path) -> None:
    teachers = TeacherKnowledge.read(both_known, markov).teachers
    rows = markov.split.test.row[:5]
    alone = [np.exp(MemoryScorer([one]).scores(markov.interactions, rows)) for one in teachers]
    together = np.exp(MemoryScorer(teachers).scores(markov.interactions, rows)) / 2
    assert np.allclose(together, sum(alone) / 2, atol=1e-6)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-5)
    assert not together[:, 0].any()


def test_everything_that_stands_beside_the_students_is_there(markov: Dataset, both_known: Path) -> None:
    knowledge = TeacherKnowledge.read(both_known, markov)
    torch.manual_seed(0)
    found, aware = references(markov, knowledge, torch.device("cpu"))
    assert names(knowledge) == ("unisrec", "unisrec 2")
    assert set(found) == {"popularity", "item-kNN", "last-item Markov", "unisrec", "unisrec 2", ENSEMBLE}
    assert set(aware) == set(found)
    assert all(one.ranks.size == len(markov.split.test) for one in aware.values())
    assert all(len(ranks["masked"]) == len(markov.split.test) for ranks in found.values())
