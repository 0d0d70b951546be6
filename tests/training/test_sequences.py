import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD, PackedStrings, history_window
from training.interactions import Interactions
from training.sequences import NO_ROW, Sequences, Windows, evaluation_sequences, sequences_at, train_windows
from training.splits import EvaluationRows, Split, leave_one_out

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=8)
WINDOW = st.integers(1, 12)


def of(lengths: list[int]) -> Interactions:
    """Users of the given numbers of interactions; every item stands once, so an item says where it comes from."""
    users = PackedStrings.pack(str(k) for k in range(len(lengths)))
    total = sum(lengths)
    user, time = np.repeat(np.arange(len(lengths)), lengths), np.arange(total)
    return Interactions.sort(users, user, time + 1, time)


def all_train(lengths: list[int]) -> Split:
    nobody = EvaluationRows(np.empty(0, dtype=np.int64))
    return Split("time", np.array(lengths, dtype=np.int64), nobody, nobody)


@given(LENGTHS, WINDOW)
def test_a_history_is_what_the_service_makes_of_it(lengths: list[int], length: int) -> None:
    interactions = of(lengths)
    sequences = sequences_at(interactions, np.arange(len(interactions)), length)
    for row, history in enumerate(sequences.history):
        before = interactions.item[interactions.offsets[interactions.user[row]] : row]
        assert np.array_equal(history, history_window(before, length))
    assert np.array_equal(sequences.target, interactions.item)


def test_evaluation_sees_all_that_came_before_the_target() -> None:
    interactions = of([5, 2, 3])
    split = leave_one_out(interactions)
    test = evaluation_sequences(interactions, split.test, 4)
    assert test.history.tolist() == [[1, 2, 3, 4], [PAD, PAD, 8, 9]]
    assert (test.target.tolist(), test.row.tolist(), len(test)) == ([5, 10], [4, 9], 2)


@given(LENGTHS, WINDOW)
def test_every_train_row_is_asked_once(lengths: list[int], length: int) -> None:
    interactions, split = of(lengths), all_train(lengths)
    windows = train_windows(interactions, split, length)
    asked = windows.row[windows.row != NO_ROW]
    assert np.array_equal(np.sort(asked), split.train_rows(interactions))


@given(LENGTHS, WINDOW)
def test_a_window_is_a_stretch_of_one_user_and_each_target_follows_its_input(lengths: list[int], length: int) -> None:
    interactions = of(lengths)
    windows = train_windows(interactions, all_train(lengths), length)
    for history, target, row in zip(windows.history, windows.target, windows.row, strict=True):
        inputs = history[history != PAD]
        assert np.array_equal(history, history_window(inputs, length))
        assert np.array_equal(inputs, np.arange(inputs[0], inputs[0] + inputs.size))
        assert len(set(interactions.user[inputs - 1].tolist())) == 1
        asked = row != NO_ROW
        assert np.array_equal(asked, target != PAD)
        assert np.array_equal(target[asked], interactions.item[row[asked]])
        assert np.array_equal(target[asked], history[asked] + 1)  # items are numbered in the order of their rows


@given(LENGTHS, WINDOW)
def test_every_target_sees_half_a_window_or_all_there_is(lengths: list[int], length: int) -> None:
    interactions = of(lengths)
    windows = train_windows(interactions, all_train(lengths), length)
    seen = np.cumsum(windows.history != PAD, axis=1)
    available = windows.row - interactions.offsets[interactions.user[windows.row]]
    asked = windows.row != NO_ROW
    assert (seen[asked] >= np.minimum(available, max(1, length // 2))[asked]).all()


@given(LENGTHS, WINDOW)
def test_short_histories_take_one_window_each(lengths: list[int], length: int) -> None:
    short = [min(size, length + 1) for size in lengths]
    assert len(train_windows(of(short), all_train(short), length)) == sum(size >= 2 for size in short)


def test_windows_stop_where_the_train_part_stops() -> None:
    interactions = of([6])
    windows = train_windows(interactions, leave_one_out(interactions), 10)
    assert windows.history[0, -3:].tolist() == [1, 2, 3]
    assert windows.target.max() == 4


def test_a_window_by_hand() -> None:
    windows = train_windows(of([7]), all_train([7]), 4)
    assert windows.history.tolist() == [[1, 2, 3, 4], [3, 4, 5, 6]]
    assert windows.target.tolist() == [[2, 3, 4, 5], [PAD, PAD, 6, 7]]
    assert windows.row.tolist() == [[1, 2, 3, 4], [NO_ROW, NO_ROW, 5, 6]]


@pytest.mark.parametrize("length", [0, -1])
def test_a_window_without_a_place_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="at least one place"):
        train_windows(of([3]), all_train([3]), length)


def test_shapes_that_do_not_fit_are_refused() -> None:
    two, three = np.zeros((2, 4), dtype=np.int64), np.zeros(3, dtype=np.int64)
    with pytest.raises(ValueError, match="target"):
        Sequences(two, three, three)
    with pytest.raises(ValueError, match="target"):
        Windows(two, two, three)
