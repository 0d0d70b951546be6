import io

import pytest
from rich.console import Console

from training.progress import ProgressBar, progress_bar, tracked


def test_tracked_gives_every_item_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked(["a", "b", "c"], "reading")) == ["a", "b", "c"]
    said = capsys.readouterr()
    assert said.out == ""  # standard output is for results
    assert "reading: 3/3" in said.err


def test_in_a_log_the_last_step_is_always_said() -> None:
    log = io.StringIO()
    bar = ProgressBar("fitting", 100, Console(file=log, width=80))
    for step in range(100):
        bar.advance(f"loss {step}")
    assert log.getvalue().splitlines() == ["fitting: 100/100 loss 99"]


def test_a_failure_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), progress_bar("failing", 2) as bar:
        bar.advance(str(1 // 0))
