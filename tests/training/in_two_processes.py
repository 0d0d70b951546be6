"""What `torchrun` starts twice for test_processes.py: command lines of the project, and the law of the exchange."""

from __future__ import annotations

import json
import sys
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
    threads = [(one / "comm").read_text().strip() for one in Path("/proc/self/task").iterdir()]
    (out / f"{here.rank}.json").write_text(json.dumps(page | {"threads": threads}))


if __name__ == "__main__":
    main()
