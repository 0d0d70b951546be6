from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import ConfigError
from training.dataset import Dataset
from training.distillation.cast import heard, popularity_teacher, present_rows
from training.distillation.rows import Teaching
from training.distillation.teacher_panel import TeacherPanel
from training.evaluation.baselines import Popularity
from training.knowledge import TeacherKnowledge
from training.vector_memory import TeacherMemory


@pytest.fixture
def knowledge(markov: Dataset, both_known: Path) -> TeacherKnowledge:
    return TeacherKnowledge.read(both_known, markov)


def test_a_row_of_the_study_says_who_is_heard(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    first, second = knowledge.teachers
    assert heard(Teaching(), knowledge, markov).memories == (first, second)
    assert heard(Teaching(only=0), knowledge, markov).memories == (first,)
    assert heard(Teaching(only=1), knowledge, markov).memories == (second,)


def test_equal_names_stand_for_equal_opinions(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    casts = (Teaching(), Teaching(only=0), Teaching(cast="shuffled"), Teaching(cast="one shuffled"))
    assert len({heard(one, knowledge, markov).name for one in casts}) == len(casts)
    assert heard(Teaching((1, 2)), knowledge, markov).name == heard(Teaching(), knowledge, markov).name


def test_teachers_that_mind_repeats_have_another_name_and_the_others_the_one_they_had(
    markov: Dataset, knowledge: TeacherKnowledge
) -> None:
    plain, minding = heard(Teaching(), knowledge, markov), heard(Teaching(), knowledge, markov, repeat_offsets=True)
    assert plain.name == "all: " + " ".join(
        f"{one.entry.fingerprint}@{one.entry.calibration}/{one.entry.rows}-{one.entry.optimism}"
        for one in knowledge.teachers
    )
    assert minding.name != plain.name
    for one, entry in zip(minding.memories, (one.entry for one in knowledge.teachers), strict=True):
        assert entry.repeats is not None
        assert (one.repeat_offset, one.entry.calibration) == (entry.repeats.offset, entry.repeats.calibration)


def test_a_teacher_that_the_cache_has_not_is_refused(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    with pytest.raises(ConfigError, match="the row hears teacher 3, the cache holds 2"):
        heard(Teaching(only=2), knowledge, markov)


def test_without_a_cache_nobody_can_be_heard(markov: Dataset) -> None:
    with pytest.raises(ConfigError, match="no knowledge is given"):
        heard(Teaching(), None, markov)


def test_shuffled_teachers_know_the_items_and_nothing_of_the_rows(knowledge: TeacherKnowledge) -> None:
    memory = knowledge.teachers[0]
    assert isinstance(memory, TeacherMemory)
    dealt = memory.shuffled(0)
    assert np.array_equal(dealt.item, memory.item)
    assert np.array_equal(dealt.row, memory.row)
    assert not np.array_equal(dealt.user, memory.user)
    assert np.array_equal(np.sort(dealt.user, axis=0), np.sort(memory.user, axis=0))


def test_one_broken_teacher_leaves_the_others_as_they_are(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    broken = heard(Teaching(cast="one shuffled"), knowledge, markov).with_vectors
    assert not np.array_equal(broken[0].user, knowledge.with_vectors[0].user)
    assert broken[1] is knowledge.teachers[1]


def test_the_popularity_teacher_says_the_train_counts_to_everybody(markov: Dataset) -> None:
    rows = markov.split.train_rows(markov.interactions)[:3]
    everything = torch.arange(1, len(markov.catalog) + 1)
    panel = TeacherPanel([popularity_teacher(markov)], torch.device("cpu"))
    found = panel.opinions(torch.from_numpy(rows), everything).log_p(1.0).exp()[0]
    count = Popularity.fit(markov.interactions, markov.split, len(markov.catalog)).count[1:] + 1
    wanted = torch.from_numpy(count / count.sum()).expand(3, -1)
    assert torch.allclose(found, wanted.to(found), rtol=2e-2)  # fp16 logarithms


def test_rows_that_anybody_scored(markov: Dataset, knowledge: TeacherKnowledge) -> None:
    assert np.array_equal(present_rows(knowledge.teachers), markov.split.train_rows(markov.interactions))


@pytest.mark.parametrize("width", [3, 1000])
def test_components_of_the_items_keep_who_is_like_whom(
    markov: Dataset, knowledge: TeacherKnowledge, width: int
) -> None:
    found = heard(Teaching(), knowledge, markov).item_components(width)
    assert found.shape == (len(markov.catalog) + 1, width)
    assert not found[0].any()
    if width > 100:  # all that the teachers span: distances between items are theirs, up to one scale
        theirs = torch.cat([one.items[1:] for one in knowledge.with_vectors], dim=1)
        ratio = torch.pdist(found[1:]) / torch.pdist(theirs)
        assert torch.allclose(ratio, ratio.mean().expand_as(ratio), rtol=1e-3)
