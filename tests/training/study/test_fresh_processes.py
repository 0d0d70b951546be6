"""Works in processes of their own: all are done, each is logged, and a failure costs nothing but itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
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


KILLED = """
import time
from functools import partial
from pathlib import Path
from training.study.fresh_processes import Work, in_fresh_processes
from tests.training.study.test_fresh_processes import stay
if __name__ == "__main__":
    in_fresh_processes("staying", [Work("stay", Path({folder!r}), partial(stay, Path({folder!r})))], 1)
"""


def stay(folder: Path) -> None:
    """Far longer than any test waits."""
    (folder / "pid.partial").write_text(str(os.getpid()), encoding="utf-8")
    (folder / "pid.partial").rename(folder / "pid")
    time.sleep(600)


def is_there(pid: int) -> bool:
    """Not one that has ended, either, whose parent has not asked for its end yet."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_works_end_with_who_waits_for_them(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(folder=str(tmp_path)), encoding="utf-8")
    waiting = subprocess.Popen(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    )
    wait_for((tmp_path / "pid").is_file)
    work = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert is_there(work)
    waiting.kill()
    waiting.wait()
    wait_for(lambda: not is_there(work))
