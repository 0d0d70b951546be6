"""How long each stage of one request took: measured once; then log fields, histograms, a response header and spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, get_args

Stage = Literal["history", "queue", "filter", "encode", "retrieve", "rerank", "diversify", "explain", "rank"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Timings:
    """Seconds per stage of one request, and when each began.

    One thread writes at a time, and another may read meanwhile: whoever was told that there is no answer in time looks
    at them while the model is still at work. So readers look at a copy, which is made in one step.
    """

    def __init__(self) -> None:
        self._seconds: dict[Stage, float] = {}
        self._began: dict[Stage, float] = {}

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Count the time inside the `with` to a stage, also when it fails."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add(stage, perf_counter() - start, start)

    @staticmethod
    @contextmanager
    def measure_all(everyone: Sequence[Timings], stage: Stage) -> Iterator[None]:
        """Count the time inside the `with` to a stage of several requests: each of them waited for it."""
        start = perf_counter()
        try:
            yield
        finally:
            seconds = perf_counter() - start
            for one in everyone:
                one.add(stage, seconds, start)

    def add(self, stage: Stage, seconds: float, began: float) -> None:
        """Count seconds to a stage.

        Args:
            stage: which.
            seconds: how many.
            began: when they began, on the clock of `time.perf_counter`; of several times, the first is kept.
        """
        self._began.setdefault(stage, began)
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    @property
    def seconds(self) -> dict[Stage, float]:
        """Of each stage that there was, in their order; a copy."""
        return self._seconds.copy()

    @property
    def spans(self) -> list[tuple[Stage, float, float]]:
        """Of each stage that there was: when it first began, on the clock of `time.perf_counter`, and its seconds. A
        stage that was entered several times is told once, with all of its seconds."""
        return [(stage, self._began[stage], seconds) for stage, seconds in self.seconds.items()]

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())

    def server_timing(self) -> str:
        """The value of a Server-Timing header, in milliseconds."""
        return ", ".join(f"{stage};dur={seconds * 1000:.3f}" for stage, seconds in self.seconds.items())

    def log_fields(self) -> dict[str, float]:
        """`encode_ms` and so on."""
        return {f"{stage}_ms": round(seconds * 1000, 3) for stage, seconds in self.seconds.items()}
