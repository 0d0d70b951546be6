from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.study.comparisons import Entry
from training.study.groups import SMALLEST, group_gains, history_groups, target_groups
from training.study.significance import BootstrapConfig

COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=80).map(lambda values: np.array(values, dtype=np.int64))


@given(COUNTS)
def test_every_user_is_in_one_group(values: NDArray[np.int64]) -> None:
    for groups in (target_groups(values), history_groups(values)):
        assert np.sum([one.members for one in groups], axis=0).tolist() == [1] * values.size


@given(COUNTS)
def test_groups_are_apart_and_ascend(values: NDArray[np.int64]) -> None:
    for groups in (target_groups(values), history_groups(values)):
        for before, after in pairwise(groups):
            assert values[before.members].max() < values[after.members].min()


def test_cold_is_five_or_fewer_and_names_say_what_is_in_them() -> None:
    groups = target_groups(np.array([0, 5, 6, 7, 8, 90]))
    assert [one.name for one in groups] == ["cold 0–5", "tail 6–7", "head 8–90"]
    assert [int(one.members.sum()) for one in groups] == [2, 2, 2]


def test_head_and_tail_are_halves_of_the_targets_that_are_not_cold() -> None:
    groups = target_groups(np.array([5] * 9 + [6, 7, 8, 9]))
    assert [one.name for one in groups] == ["cold 5", "tail 6–7", "head 8–9"]


@pytest.mark.parametrize(("values", "names"), [([2, 2, 2], ["cold 2"]), ([9, 9], ["tail 9"])])
def test_a_group_without_users_is_none(values: list[int], names: list[str]) -> None:
    assert [one.name for one in target_groups(np.array(values))] == names


def test_of_few_users_nothing_is_said() -> None:
    size = SMALLEST + 5
    ranks = {"unmasked": np.ones(size), "masked": np.ones(size)}
    entries = {name: Entry(name, "", "student", (ranks,)) for name in ("A0", "A7")}  # type: ignore[arg-type]
    history = np.array([1] * 5 + [9] * SMALLEST)
    found = group_gains(history_groups(history), entries, BootstrapConfig(resamples=100))
    assert [(one.group, one.gain is None) for one in found if one.protocol == "masked"] == [("1–9", False)]
    split = group_gains(target_groups(history), entries, BootstrapConfig(resamples=100))
    assert [(one.group, one.gain is None) for one in split if one.protocol == "masked"] == [
        ("cold 1", True),
        ("tail 9", False),
    ]
    assert split[0].base == 1
