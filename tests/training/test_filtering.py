from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from training.filtering import drop_exact_repeats, k_core

Row = tuple[str, str, int]
ROWS = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("vwxyz"), st.integers(0, 3)), max_size=50)


def table(rows: list[Row]) -> pl.DataFrame:
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@given(ROWS)
def test_each_row_stays_once_where_it_first_stood(rows: list[Row]) -> None:
    kept, dropped = drop_exact_repeats(table(rows))
    assert kept.rows() == list(dict.fromkeys(rows))
    assert dropped == len(rows) - kept.height


@given(ROWS, st.integers(0, 4))
def test_the_core_is_the_largest_part_with_enough_of_everything(rows: list[Row], least: int) -> None:
    left = list(rows)
    while True:  # the definition, one bad row at a time
        users, items = Counter(row[0] for row in left), Counter(row[1] for row in left)
        bad = [row for row in left if users[row[0]] < least or items[row[1]] < least]
        if not bad:
            break
        left.remove(bad[0])
    kept, dropped = k_core(table(rows), least)
    assert sorted(kept.rows()) == sorted(left)
    assert dropped == len(rows) - len(left)


def test_buying_again_is_kept() -> None:
    assert drop_exact_repeats(table([("a", "x", 1), ("a", "x", 2)]))[1] == 0
