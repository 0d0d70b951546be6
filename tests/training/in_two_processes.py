"""What `torchrun` starts twice for test_processes.py: command lines of the project, and the law of the exchange."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from training.commands import app
from training.processes import Processes, across_processes, leave

ROWS = ((0, 3), (3, 3), (3, 7))
"""Which of seven rows each process holds, in three cases: the first holds one more, none, fewer."""


def exchanged(first: int, last: int) -> dict[str, object]:
    """What a process sees of all rows, and what its own learn from a loss that reads all of them in both processes."""
    here = Processes.here()
    whole = torch.arange(14, dtype=torch.float64).view(7, 2)  # [7, 2]
    held = slice(first, last) if here.rank else slice(0, first)
    mine = whole[held].clone().requires_grad_()  # [R, 2]
    found = across_processes(mine)
    weight = torch.arange(1.0, 1 + found.rows.numel(), dtype=torch.float64).view_as(found.rows)  # [R_all, 2]
    ((1 + here.rank) * weight * found.rows).sum().backward()  # type: ignore[no-untyped-call]
    assert mine.grad is not None
    return {"rows": found.rows.tolist(), "start": found.start, "gradient": mine.grad.tolist(), "held": len(mine)}


def threads_of_the_group() -> list[str]:
    """Those that are still there, by name; one that was joined may be listed for a moment. Nothing off Linux."""
    tasks = Path("/proc/self/task")
    for _ in range(100):
        found = [one.parent.name for one in tasks.glob("*/comm") if "gloo" in _text(one)]
        if not found:
            break
        time.sleep(0.05)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def main() -> None:
    commands, out = json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
    codes = [app(words, standalone_mode=False) or 0 for words in commands]
    here = Processes.here()
    page = {
        "count": here.count,
        "codes": codes,
        "exchanged": [exchanged(*case) for case in ROWS],
        "total": here.total(here.rank + 1.5),
        "mean": here.mean(here.rank + 1.5),
        "labels": across_processes(torch.tensor([here.rank, 7])).rows.tolist(),
    }
    leave()
    (out / f"{here.rank}.json").write_text(json.dumps(page | {"left": threads_of_the_group()}))


if __name__ == "__main__":
    main()
