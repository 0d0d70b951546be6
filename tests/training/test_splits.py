from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PackedStrings
from training.dataset import Dataset
from training.errors import SplitImpossible
from training.interactions import Interactions
from training.splits import EvaluationRows, Split, by_time, leave_one_out

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(0, 60)), max_size=60)


def of(rows: list[tuple[int, int, int]]) -> Interactions:
    users = PackedStrings.pack(str(k) for k in range(6))
    return Interactions.sort(users, *np.array(rows, dtype=np.int64).reshape(-1, 3).T)


def rows_of(interactions: Interactions, user: int) -> range:
    return range(int(interactions.offsets[user]), int(interactions.offsets[user + 1]))


@given(ROWS)
def test_leave_one_out_takes_the_last_two_of_everyone_with_three(rows: list[tuple[int, int, int]]) -> None:
    interactions = of(rows)
    mine = [rows_of(interactions, user) for user in range(6)]
    evaluated = [one for one in mine if len(one) >= 3]
    if not evaluated:
        with pytest.raises(SplitImpossible, match="no user has 3"):
            leave_one_out(interactions)
        return
    split = leave_one_out(interactions)
    assert split.test.row.tolist() == [one[-1] for one in evaluated]
    assert split.validation.row.tolist() == [one[-2] for one in evaluated]
    assert split.train_end.tolist() == [len(one) - 2 if len(one) >= 3 else len(one) for one in mine]
    split.check(interactions)


@given(ROWS, st.floats(0.2, 0.7), st.floats(0.1, 0.25))
def test_a_time_split_lets_no_later_moment_into_an_earlier_part(
    rows: list[tuple[int, int, int]], train: float, validation: float
) -> None:
    interactions = of(rows)
    try:
        split = by_time(interactions, train, validation)
    except SplitImpossible:
        return
    split.check(interactions)
    learnt = [row for user in range(6) for row in rows_of(interactions, user)[: split.train_end[user]]]
    first = min(time for row, time in enumerate(interactions.time.tolist()) if row not in set(learnt))
    assert max(interactions.time[learnt]) < first
    if len(split.validation) and len(split.test):
        assert interactions.time[split.validation.row].max() < interactions.time[split.test.row].min()


def test_a_time_split_asks_each_user_once_per_part_and_only_with_a_history() -> None:
    times = {0: [0, 1, 2, 80, 81, 95], 1: [3, 96], 2: [85, 97], 3: [99], 4: [*range(4, 80)]}
    interactions = of([(user, 1, time) for user, mine in times.items() for time in mine])
    split = by_time(interactions, 0.92, 0.04)
    # 87 rows: cut at the 80th and the 83rd time in order, 80 and 95
    asked = [(int(interactions.user[row]), int(interactions.time[row])) for row in split.validation.row]
    tested = [(int(interactions.user[row]), int(interactions.time[row])) for row in split.test.row]
    assert asked == [(0, 80)]  # user 2 has no history at 85
    assert tested == [(0, 95), (1, 96), (2, 97)]  # user 3 has none at 99
    assert split.train_end.tolist() == [3, 1, 0, 0, 76, 0]


@pytest.mark.parametrize(("train", "validation"), [(0.9, 0.1), (0.0, 0.5), (0.5, 0.0), (1.2, 0.1)])
def test_shares_must_leave_a_test(train: float, validation: float) -> None:
    with pytest.raises(ValueError, match="less than 1"):
        by_time(of([(0, 1, 1), (0, 1, 2)]), train, validation)


@pytest.mark.parametrize("times", [[5] * 10, [], [1] * 9 + [2]])
def test_times_that_leave_a_part_empty_are_refused(times: list[int]) -> None:
    with pytest.raises(SplitImpossible):
        by_time(of([(0, 1, time) for time in times]))


def test_train_rows_are_all_but_each_users_first() -> None:
    interactions = of([(0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4), (2, 5, 1), (3, 6, 1), (3, 7, 2)])
    assert leave_one_out(interactions).train_rows(interactions).tolist() == [1, 6]


@pytest.mark.parametrize(
    ("train_end", "validation", "test", "message"),
    [
        ([2, 1, 0], [], [], "train_end does not count"),
        ([4, 0, 0, 0, 0, 0], [], [], "train_end does not count"),
        ([2, 0, 0, 0, 0, 0], [1], [], "validation: row 1 is a train row"),
        ([0, 0, 0, 0, 0, 0], [], [3], "test: row 3 is .* has no history"),
        ([0, 0, 0, 0, 0, 0], [1, 2], [], "second target"),
        ([0, 0, 0, 0, 0, 0], [], [9], "test: rows 9..9 are not all in 0..4"),
    ],
)
def test_a_split_that_leaks_or_is_of_other_data_is_refused(
    train_end: list[int], validation: list[int], test: list[int], message: str
) -> None:
    interactions = of([(0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 4, 1), (1, 5, 2)])
    parts = (EvaluationRows(np.array(part, dtype=np.int64)) for part in (validation, test))
    with pytest.raises(ValueError, match=message):
        Split("time", np.array(train_end), *parts).check(interactions)


@pytest.mark.parametrize("rows", [[3, 2], [2, 2], [[1], [2]]])
def test_evaluation_rows_are_one_ascending_list(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        EvaluationRows(np.array(rows))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    split = leave_one_out(of([(user, 1, time) for user in (0, 3) for time in range(4)]))
    split.write(tmp_path / "split.npz")
    read = Split.read(tmp_path / "split.npz")
    assert (read.name, read.fingerprint) == (split.name, split.fingerprint)
    other = Split("time", split.train_end, split.validation, split.test)
    assert other.fingerprint != split.fingerprint


def test_held_out_rows_are_those_of_validation_and_test_in_order(markov: Dataset) -> None:
    rows = markov.split.held_out_rows
    assert np.array_equal(rows, sorted({*markov.split.validation.row.tolist(), *markov.split.test.row.tolist()}))
    assert not np.isin(rows, markov.split.train_rows(markov.interactions)).any()
