"""Recommendations side by side, so that one run of retrieval can serve them all.

A recommendation is written as a generator. Where it needs retrieval, as often as it likes, it yields a Fetch and is
sent what was found. It cannot tell whether it is alone, so whatever it may do needs to be written once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.timings import Timings


@dataclass(frozen=True, eq=False)
class Fetch:
    """The best `n` of the whole catalogue for a user vector."""

    user: NDArray[np.float32]
    """[1, D]"""
    n: int


Found: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Scores [n], falling, and catalogue indices [n]."""
Result = TypeVar("Result")
Steps: TypeAlias = Generator[Fetch, Found, Result]


def in_lockstep(
    steps: Sequence[Steps[Result]], timings: Sequence[Timings], fetch: Callable[[Sequence[Fetch]], list[Found]]
) -> list[Result | Exception]:
    """Let all run to their next fetch, answer those fetches together, and so on until the last has its result.

    One that fails has its error for a result; the others go on. What retrieval itself raises is raised.
    """
    results: dict[int, Result | Exception] = {}
    waiting: dict[int, Fetch] = {}

    def advance(at: int, found: Found | None) -> None:
        try:
            waiting[at] = next(steps[at]) if found is None else steps[at].send(found)
        except StopIteration as end:
            results[at] = end.value
        except Exception as error:  # noqa: BLE001 it belongs to this one, and is raised where this one is awaited
            results[at] = error

    for at in range(len(steps)):
        advance(at, None)
    while waiting:
        asked, waiting = waiting, {}
        with Timings.measure_all([timings[at] for at in asked], "retrieve"):
            found = fetch(list(asked.values()))
        for at, one in zip(asked, found, strict=True):
            advance(at, one)
    return [results[at] for at in range(len(steps))]
