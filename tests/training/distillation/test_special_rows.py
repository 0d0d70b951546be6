"""Rows A17, A18, C9 and C10: what makes them other than the rows that they vary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.distill import Assignment, distill
from training.distillation.recipe import DistillConfig
from training.distillation.rows import study_row
from training.distillation.soft_targets import SoftTargets
from training.distillation.tutoring import TeachingMaterial, Tutoring, tutoring
from training.distillation.tutors.soft_target_tutor import SoftTargetTutor
from training.fitting import FitConfig
from training.knowledge import TeacherKnowledge


def taught(row: str, markov: Dataset, knowledge: Path, folder: Path) -> Tutoring:
    memory = TeacherKnowledge.read(knowledge, markov)
    return tutoring(study_row(row), DistillConfig(top=10), TeachingMaterial(markov, memory, folder, 16))


def weights_of(row: str, markov: Dataset, knowledge: Path, folder: Path) -> NDArray[np.float64]:
    targets = taught(row, markov, knowledge, folder).targets
    assert isinstance(targets, SoftTargets)
    return np.asarray(targets.weight, dtype=np.float64)


def gate_of(row: str, markov: Dataset, knowledge: Path, folder: Path) -> object:
    ((_, tutor),) = taught(row, markov, knowledge, folder).tutors
    assert isinstance(tutor, SoftTargetTutor)
    return tutor._gate


@pytest.mark.parametrize(("row", "gated"), [("A7", False), ("A17", True), ("C7", False), ("C9", True)])
def test_the_gate_is_there_where_the_row_says_so(
    row: str, *, gated: bool, markov: Dataset, both_known: Path, tmp_path: Path
) -> None:
    assert (gate_of(row, markov, both_known, tmp_path) is not None) is gated


def test_a_gate_changes_no_soft_target(markov: Dataset, both_known: Path, tmp_path: Path) -> None:
    assert np.array_equal(
        weights_of("A7", markov, both_known, tmp_path), weights_of("A17", markov, both_known, tmp_path)
    )
    assert len(list(tmp_path.iterdir())) == 1


def test_a_prior_changes_the_weights_and_is_kept_apart(markov: Dataset, both_known: Path, tmp_path: Path) -> None:
    uniform, trusted = (weights_of(row, markov, both_known, tmp_path) for row in ("A7", "A18"))
    assert np.abs(uniform - trusted).max() > 0.01
    assert np.allclose(trusted.sum(axis=1), 1, atol=2e-3)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_mean_hears_a_broken_teacher_as_loudly_and_weights_do_not(
    markov: Dataset, both_known: Path, tmp_path: Path
) -> None:
    mean, weighed = (weights_of(row, markov, both_known, tmp_path) for row in ("C10", "C7"))
    assert np.allclose(mean, 0.5)
    assert weighed[:, 0].mean() < 0.4
    whole, broken = (taught(row, markov, both_known, tmp_path).targets for row in ("A4", "C10"))
    assert whole is not None
    assert broken is not None
    assert np.mean(broken.label_nll) > np.mean(whole.label_nll) + 0.1


@pytest.mark.parametrize("row", ["A14", "A17", "A18", "A19", "C9", "C11"])
def test_candidates_of_a_batch_have_neither_gate_nor_prior(
    row: str, markov: Dataset, both_known: Path, tmp_path: Path
) -> None:
    recipe = DistillConfig(fit=FitConfig(epochs=1), candidates="in-batch")
    with pytest.raises(ConfigError, match=rf"row {row} .*whole catalogue"):
        distill(Assignment("sasrec", row, both_known), markov, recipe, tmp_path)
