"""Latency by stage, out of the Server-Timing header that every recommendation carries."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import quantiles

_KEPT = 100_000
"""Newest durations kept per stage, so that a long run cannot fill the memory."""


def durations(header: str) -> dict[str, float]:
    """Milliseconds per stage: `encode;dur=0.180, rank;dur=0.021`. A metric without a duration is left out."""
    found: dict[str, float] = {}
    for metric in header.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "dur":
                found[name] = float(value)
    return found


class Stages:
    """Collects durations of many requests."""

    def __init__(self) -> None:
        self._milliseconds: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def note(self, header: str) -> None:
        """Count one answer by its header; an empty header counts nothing."""
        for stage, milliseconds in durations(header).items():
            self._milliseconds[stage].append(milliseconds)

    def table(self) -> list[str]:
        """One line per stage under a head: how many, median, 95th and 99th percentile, worst; in milliseconds."""
        head = f"{'stage, ms':<12}{'count':>9}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"
        return [head, *(_line(stage, found) for stage, found in self._milliseconds.items())]


def _line(stage: str, found: deque[float]) -> str:
    cuts = quantiles(found, n=100, method="inclusive") if len(found) > 1 else [found[0]] * 99
    shown = (cuts[49], cuts[94], cuts[98], max(found))
    return f"{stage:<12}{len(found):>9}" + "".join(f"{one:>9.3f}" for one in shown)
