import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PAD, PackedStrings
from training.batches import Batch, WindowBatches
from training.errors import SplitImpossible
from training.interactions import Interactions
from training.sequences import NO_ROW, Windows, train_windows
from training.splits import EvaluationRows, Split

USERS = st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=14), min_size=1, max_size=12)
"""Items of each user; few items, so that many are met again."""
LENGTH = st.integers(2, 6)
ROWS = st.integers(1, 40)


def windows_of(users: list[list[int]], length: int) -> Windows:
    lengths = np.array([len(one) for one in users])
    user = np.repeat(np.arange(len(users)), lengths)
    ids = PackedStrings.pack(str(k) for k in range(len(users)))
    interactions = Interactions.sort(ids, user, np.concatenate([*users]), np.arange(user.size))
    nobody = EvaluationRows(np.empty(0, dtype=np.int64))
    return train_windows(interactions, Split("time", lengths, nobody, nobody), length)


@given(USERS, LENGTH, ROWS, st.integers(0, 3))
def test_an_epoch_has_every_window_once(users: list[list[int]], length: int, rows: int, seed: int) -> None:
    windows = windows_of(users, length)
    epoch = WindowBatches(windows, rows).epoch(np.random.default_rng(seed))
    assert sorted(np.concatenate(epoch).tolist()) == list(range(len(windows)))


@given(USERS, LENGTH, ROWS)
def test_in_order_meets_every_row_once(users: list[list[int]], length: int, rows: int) -> None:
    windows = windows_of(users, length)
    met = [row for batch in WindowBatches(windows, rows).in_order() for row in batch.row[batch.asked].tolist()]
    assert sorted(met) == sorted(windows.row[windows.row != NO_ROW].tolist())


@given(USERS, LENGTH, ROWS)
def test_a_batch_has_no_column_that_is_all_padding_and_loses_nothing(
    users: list[list[int]], length: int, rows: int
) -> None:
    windows = windows_of(users, length)
    batches = WindowBatches(windows, rows)
    for chosen in batches.epoch(np.random.default_rng(0)):
        batch = batches.batch(chosen)
        assert bool((batch.history[:, 0] != PAD).any())
        for cut, whole in ((batch.history, windows.history), (batch.target, windows.target), (batch.row, windows.row)):
            assert torch.equal(cut, torch.from_numpy(whole[chosen][:, -cut.shape[1] :]))
        assert not windows.history[chosen][:, : -batch.history.shape[1]].any()


@given(USERS, LENGTH, ROWS)
def test_batches_hold_about_the_rows_asked_for(users: list[list[int]], length: int, rows: int) -> None:
    windows = windows_of(users, length)
    batches = WindowBatches(windows, rows)
    sizes = [int(batches.batch(one).asked.sum()) for one in batches.epoch(np.random.default_rng(0))]
    assert max(sizes) < rows + 2 * length  # a window is not cut: one may stick out at either end
    assert len(sizes) <= sum(sizes) // rows + 1


def test_histories_of_a_batch_are_of_like_length() -> None:
    windows = windows_of([[1] * (2 + k % 40) for k in range(400)], 50)
    batches = WindowBatches(windows, 200)
    spread = [np.ptp((windows.history[one] != PAD).sum(axis=1)) for one in batches.epoch(np.random.default_rng(0))]
    assert max(spread) <= 10  # of 40; the noise is 4


def test_every_epoch_is_another_one_and_each_can_be_had_again() -> None:
    batches = WindowBatches(windows_of([[1] * 5] * 50, 4), 20)
    first, second, again = (
        [one.tolist() for one in batches.epoch(np.random.default_rng(seed))] for seed in ((7, 1), (7, 2), (7, 1))
    )
    assert first == again
    assert first != second


@given(USERS, LENGTH)
def test_prefixes_are_what_came_before_without_the_target(users: list[list[int]], length: int) -> None:
    for batch in WindowBatches(windows_of(users, length), 9).in_order():
        found = [[item for item in one if item != PAD] for one in batch.prefixes().tolist()]
        places = batch.asked.nonzero().tolist()
        assert len(found) == len(places)
        for prefix, (window, place) in zip(found, places, strict=True):
            target = batch.target[window, place].item()
            before = batch.history[window, : place + 1].tolist()
            assert prefix == [item for item in before if item not in (PAD, target)]


def test_a_target_met_before_is_no_prefix_item() -> None:
    history, target = torch.tensor([[3, 4, 3]]), torch.tensor([[PAD, PAD, 4]])
    batch = Batch(history, target, torch.zeros_like(history))
    assert batch.prefixes().tolist() == [[3, PAD, 3]]


def test_no_window_at_all_is_refused() -> None:
    with pytest.raises(SplitImpossible, match="nothing to learn from: no user has two train interactions"):
        WindowBatches(windows_of([[1], [2]], 4), 9)


def test_a_batch_moves_whole() -> None:
    batch = Batch(torch.tensor([[1]]), torch.tensor([[2]]), torch.tensor([[3]]))
    moved = batch.to(torch.device("meta"))
    assert {moved.history.device.type, moved.target.device.type, moved.row.device.type} == {"meta"}
