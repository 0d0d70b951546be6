"""Works in processes of their own: all are done, each is logged, and a failure costs nothing but itself."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from training.config import ConfigError
from training.study.fresh_processes import LOG, Work, in_fresh_processes


def leave_a_mark(folder: Path) -> None:
    print(f"made by {os.getpid()}")  # noqa: T201 - what a work prints goes to its log
    (folder / "made").write_text(str(os.getpid()), encoding="utf-8")


def break_down(reason: str) -> None:
    raise ValueError(reason)


def die() -> None:
    os._exit(9)


def works(folder: Path, count: int) -> list[Work]:
    places = [folder / str(number) for number in range(count)]
    return [Work(f"work {place.name}", place, partial(leave_a_mark, place)) for place in places]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_work_has_a_process_and_a_log_of_its_own(tmp_path: Path, jobs: int) -> None:
    some = works(tmp_path, 3)
    in_fresh_processes("marking", some, jobs)
    made_by = {(one.folder / "made").read_text(encoding="utf-8") for one in some}
    assert len(made_by) == 3
    assert str(os.getpid()) not in made_by
    for one in some:
        assert (one.folder / LOG).read_text(encoding="utf-8").startswith("made by")


def test_works_after_a_failure_are_done_and_every_failure_is_told(tmp_path: Path) -> None:
    broken = [Work(f"broken {name}", tmp_path / name, partial(break_down, f"no {name}")) for name in ("left", "right")]
    some = works(tmp_path, 2)
    with pytest.raises(ConfigError) as told:
        in_fresh_processes("marking", [broken[0], some[0], broken[1], some[1]], 1)
    assert all((one.folder / "made").is_file() for one in some)
    assert str(told.value) == (
        f"broken left failed: no left; its log: {tmp_path / 'left' / LOG}; broken right failed, too"
    )


def test_works_after_one_whose_process_is_gone_are_done(tmp_path: Path) -> None:
    some = works(tmp_path, 2)
    with pytest.raises(ConfigError, match=r"^gone failed: its process ended with 9; its log: \S+$"):
        in_fresh_processes("marking", [Work("gone", tmp_path / "gone", die), *some], 1)
    assert all((one.folder / "made").is_file() for one in some)


def test_where_it_failed_stands_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        in_fresh_processes("marking", [Work("broken", tmp_path, partial(break_down, "no reason"))], 1)
    assert "in break_down" in (tmp_path / LOG).read_text(encoding="utf-8")
