"""How long each stage of one request took: measured once; then log fields, histograms and a response header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, get_args

Stage = Literal["history", "queue", "filter", "encode", "retrieve", "rerank", "diversify", "explain", "rank"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Timings:
    """Seconds per stage of one request. One thread writes at a time."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Count the time inside the `with` to a stage, also when it fails."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add(stage, perf_counter() - start)

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
                one.add(stage, seconds)

    def add(self, stage: Stage, seconds: float) -> None:
        """Count seconds to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

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
