from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle import PackedStrings
from training.interactions import Interactions

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(0, 6)), max_size=40)
USERS = PackedStrings.pack(f"user {k}" for k in range(5))


def of(user: list[int], item: list[int], time: list[int]) -> Interactions:
    columns: list[NDArray[Any]] = [np.array(column, dtype=np.int64) for column in (user, item, time)]
    return Interactions(USERS, *columns)


@given(ROWS)
def test_sorting_keeps_every_row_and_the_order_of_ties(rows: list[tuple[int, int, int]]) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    made = Interactions.sort(USERS, *columns)
    found = list(zip(made.user.tolist(), made.item.tolist(), made.time.tolist(), strict=True))
    assert found == sorted(rows, key=lambda row: (row[0], row[2]))  # Python's sort is stable


@given(ROWS)
def test_offsets_cut_the_rows_into_users(rows: list[tuple[int, int, int]]) -> None:
    made = Interactions.sort(USERS, *np.array(rows, dtype=np.int64).reshape(-1, 3).T)
    for user in range(len(USERS)):
        mine = made.item[made.offsets[user] : made.offsets[user + 1]]
        assert sorted(mine.tolist()) == sorted(item for owner, item, _ in rows if owner == user)


@pytest.mark.parametrize(
    ("user", "item", "time", "message"),
    [
        ([0, 0], [1, 1], [5], "column time: shape"),
        ([0, 5], [1, 1], [5, 6], "column user, row 1: 5 is not 0..4"),
        ([-1], [1], [5], "column user, row 0: -1"),
        ([0, 0, 0], [1, 2, 0], [1, 2, 3], "column item, row 2: 0 is not 1 or more"),
        ([0], [1], [-3], "column time, row 0: -3 is not 0 or more"),
        ([1, 0], [1, 1], [1, 1], "column user, row 1: smaller than the row before"),
        ([0, 0, 1], [1, 1, 1], [2, 1, 0], "column time, row 1: smaller than the row before"),
        ([0], [2**40], [1], "column item: int64 values do not fit int32"),
    ],
)
def test_a_wrong_column_is_named_with_its_row(user: list[int], item: list[int], time: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of(user, item, time)


def test_columns_cannot_be_changed() -> None:
    made = of([0, 1], [1, 2], [3, 4])
    for column in (made.user, made.item, made.time, made.offsets):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    made = of([0, 0, 3], [7, 2, 2], [1, 1, 0])
    made.write(tmp_path)
    read = Interactions.read(tmp_path)
    assert read.fingerprint == made.fingerprint
    assert list(read.user_ids) == list(USERS)
    assert (read.item.tolist(), read.time.tolist(), len(read)) == ([7, 2, 2], [1, 1, 0], 3)


def test_every_column_counts_in_the_fingerprint() -> None:
    made = of([0, 1], [1, 2], [3, 4])
    others = [of([0, 2], [1, 2], [3, 4]), of([0, 1], [1, 3], [3, 4]), of([0, 1], [1, 2], [3, 5])]
    others.append(Interactions(PackedStrings.pack("vwxyz"), made.user, made.item, made.time))
    assert len({made.fingerprint, *(other.fingerprint for other in others)}) == 5
