"""Distinct items within the last hour, over all workers: never more, never less."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.coverage import WINDOW_SECONDS, Coverage

SIZE = 50
SHOWN = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(1, SIZE), max_size=5)), max_size=30)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def note(coverage: Coverage, *items: int, version: str = "v1") -> None:
    coverage.note(version, SIZE, np.array(items, np.int64))


@examples(deadline=None, max_examples=40)
@given(shown=SHOWN)
def test_every_worker_counts_what_all_of_them_have_shown(shown: list[tuple[int, list[int]]]) -> None:
    with TemporaryDirectory() as folder:
        _share(Path(folder), shown)


def _share(folder: Path, shown: list[tuple[int, list[int]]]) -> None:
    clock = Clock()
    workers = [Coverage(folder, clock) for _ in range(4)]
    for worker, items in shown:
        note(workers[worker], *items)
    union = {item for _, items in shown for item in items}
    assert all(worker.distinct() == ({"v1": len(union)} if shown else {}) for worker in workers)


def test_what_was_shown_more_than_an_hour_ago_counts_no_more() -> None:
    clock = Clock()
    coverage = Coverage(None, clock)
    note(coverage, 1, 2, 3)
    clock.seconds += WINDOW_SECONDS - 1
    assert coverage.distinct() == {"v1": 3}
    note(coverage, 3)
    clock.seconds += 1
    assert coverage.distinct() == {"v1": 1}


def test_versions_are_counted_apart_whatever_their_names(tmp_path: Path) -> None:
    long = "x" * 300
    first, second = Coverage(tmp_path), Coverage(tmp_path)
    note(first, 1, 2, version="a/b 100%")
    note(first, 5, version=long + "1")
    note(first, 5, 6, 7, version=long + "2")
    assert first.distinct() == {"a/b 100%": 2, long + "1": 1, long + "2": 3}
    assert sorted(second.distinct().values()) == [1, 2, 3]
    assert second.distinct()["a/b 100%"] == 2


def test_where_the_folder_is_gone_a_worker_counts_for_itself(tmp_path: Path) -> None:
    coverage = Coverage(tmp_path / "gone")
    note(coverage, 1, SIZE)
    assert coverage.distinct() == {"v1": 2}
