"""Row A19 and its control: how strongly held-out users want weights, and that labels of the rows do not enter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.cast import HeardTeachers, heard, popularity_teacher
from training.distillation.recipe import DistillConfig
from training.distillation.rows import Teaching, study_row
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.tutoring import TeachingMaterial, tutoring
from training.distillation.user_weighing import STRENGTHS, UserConfidence, WeighedMixture, user_weights
from training.distillation.weighting import Judged, weights
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import target_ranks
from training.evaluation.selection import calibration_half
from training.knowledge import TeacherKnowledge

POWERS = (1.0, 2.0)


def teachers_of(row: str, dataset: Dataset, knowledge: Path) -> HeardTeachers:
    return heard(
        study_row(row).teaching or pytest.fail("no teaching"), TeacherKnowledge.read(knowledge, dataset), dataset
    )


def judged_on(dataset: Dataset, teachers: HeardTeachers, rows: np.ndarray) -> Judged:
    everything = torch.arange(1, len(dataset.catalog) + 1)
    opinions = TeacherPanel(teachers.memories, torch.device("cpu")).opinions(torch.tensor(rows), everything)
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1)
    return Judged.of(opinions.log_p(1.0), target, opinions.present)


def test_confidence_is_what_each_teacher_gave_less_its_optimism(markov: Dataset, both_known: Path) -> None:
    teachers = teachers_of("A19", markov, both_known)
    found = UserConfidence.of(markov, teachers)
    judged = judged_on(markov, teachers, found.row)
    said = judged.log_p.gather(2, judged.target[None, :, None].expand(len(teachers), -1, 1)).squeeze(2)
    optimism = torch.tensor([one.entry.optimism for one in teachers.memories])
    assert bool((optimism.abs() > 0.01).all())
    torch.testing.assert_close(found.log_a, said - optimism[:, None], atol=1e-3, rtol=0)


def test_what_a_teacher_gave_to_a_row_moves_its_weight_at_the_users_other_rows_and_not_there(
    markov: Dataset, both_known: Path
) -> None:
    found = UserConfidence.of(markov, teachers_of("A19", markov, both_known))
    user = int(found.user[0])
    own, elsewhere = int((found.user == user).nonzero()[1]), int((found.user != user).nonzero()[0])
    log_a = found.log_a.clone()
    log_a[0, own] += 3
    log_a[0, elsewhere] -= 3  # the mean over all rows stays
    moved = replace(found, log_a=log_a).of_others() - found.of_others()
    assert float(moved[:, own].abs().max()) < 1e-4
    assert float(moved[0, 0]) > 0.1
    assert float(moved[1].abs().max()) == 0


def test_the_labels_that_are_judged_do_not_enter(markov: Dataset, both_known: Path) -> None:
    teachers = teachers_of("A19", markov, both_known)
    weigh = user_weights(markov, teachers, POWERS, "unmasked")
    rows = markov.split.train_rows(markov.interactions)[:50]
    judged = judged_on(markov, teachers, rows)
    other = replace(judged, target=(judged.target + 7) % len(markov.catalog))
    assert torch.equal(weigh(rows, judged), weigh(rows, other))


def test_who_has_no_more_than_the_judged_rows_refuses_to_weigh_so(markov: Dataset, both_known: Path) -> None:
    judged = judged_on(markov, teachers_of("A19", markov, both_known), markov.split.train_rows(markov.interactions)[:5])
    with pytest.raises(ValueError, match="weighed by user"):
        weights(Teaching(POWERS, weighting="by user"), judged)


@pytest.mark.parametrize("protocol", ["unmasked", "masked"])
def test_no_strength_is_better_for_held_out_users_than_the_one_chosen(
    markov: Dataset, both_known: Path, protocol: str
) -> None:
    teachers = teachers_of("C11", markov, both_known)
    weigh = user_weights(markov, teachers, POWERS, protocol)  # type: ignore[arg-type]
    rows = markov.split.train_rows(markov.interactions)[:80]
    judged, confidence = judged_on(markov, teachers, rows), UserConfidence.of(markov, teachers)
    found = weigh(rows, judged)
    held_out, by_strength = calibration_half(markov.split.validation), {}
    for strength in STRENGTHS:
        mixture = WeighedMixture(teachers, confidence, (strength, 2 * strength))
        by_strength[strength] = ndcg(target_ranks(mixture, markov.interactions, held_out, protocol), 10)  # type: ignore[arg-type]
    best = min(s for s in STRENGTHS if by_strength[s] == max(by_strength.values()))
    known = confidence.of_others()[:, np.searchsorted(confidence.row, rows)]
    wanted = (best * (known + 2 * judged.consistency)).softmax(dim=0)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)


def test_a_teacher_whose_users_are_shuffled_loses_its_weight(markov: Dataset, both_known: Path) -> None:
    weak, good = TeacherKnowledge.read(both_known, markov).teachers
    rows = markov.split.train_rows(markov.interactions)[:400]
    share = {}
    for name, one in (("whole", good), ("broken", good.shuffled(0))):
        teachers = HeardTeachers((one, weak), name)
        weight = user_weights(markov, teachers, POWERS, "unmasked")(rows, judged_on(markov, teachers, rows))
        assert torch.allclose(weight.sum(dim=0), torch.ones(400), atol=1e-5)
        share[name] = float(weight[0].mean())
    assert share["whole"] > 0.7
    assert share["broken"] < 0.3


def test_two_equal_teachers_have_equal_weights(markov: Dataset, both_known: Path) -> None:
    one = TeacherKnowledge.read(both_known, markov).teachers[0]
    teachers = HeardTeachers((one, one), "twice the same")
    rows = markov.split.train_rows(markov.interactions)[:30]
    weight = user_weights(markov, teachers, POWERS, "unmasked")(rows, judged_on(markov, teachers, rows))
    torch.testing.assert_close(weight, torch.full((2, 30), 0.5))


def test_a_teacher_that_was_not_asked_for_validation_rows_is_named(markov: Dataset, both_known: Path) -> None:
    known = TeacherKnowledge.read(both_known, markov).teachers[0]
    with pytest.raises(ConfigError, match="popularity was not asked for validation"):
        user_weights(markov, HeardTeachers((known, popularity_teacher(markov)), "one made up"), POWERS, "unmasked")


def test_soft_targets_of_the_row_are_kept_apart_and_weighed_so(
    markov: Dataset, both_known: Path, tmp_path: Path
) -> None:
    knowledge = TeacherKnowledge.read(both_known, markov)
    material = TeachingMaterial(markov, knowledge, tmp_path, 16)
    found = {row: tutoring(study_row(row), DistillConfig(top=10), material).targets for row in ("A7", "A19", "C11")}
    assert len(list(tmp_path.iterdir())) == 3
    for one in found.values():
        assert one is not None
        assert np.allclose(np.asarray(one.weight, dtype=np.float64).sum(axis=1), 1, atol=2e-3)
    masked = DistillConfig(top=10, select_on="masked")
    tutoring(study_row("A19"), masked, material)
    assert len(list(tmp_path.iterdir())) == 4
