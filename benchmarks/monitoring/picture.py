"""The dashboard's panels, drawn from what Prometheus answered: where there is no Grafana."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.monitoring.panels import Panel
from benchmarks.monitoring.prometheus import Series

COLUMNS = 24
CELL_INCHES = (0.75, 0.42)
UNITS = {
    "s": lambda value: f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms",
    "percentunit": lambda value: f"{value:.1%}",
    "reqps": lambda value: f"{value:.3g}/s",
    "ops": lambda value: f"{value:.3g}/s",
    "short": lambda value: f"{value:.4g}",
}
Found = list[list[Series]]
"""Of each query of a panel the lines that it found."""


def draw(panels: list[Panel], found: list[Found], path: Path, caption: str) -> None:
    """One picture of all panels, where the dashboard has them."""
    mpl.rcParams.update({"font.size": 7, "axes.titlesize": 8, "axes.titlelocation": "left", "axes.grid": True})
    mpl.rcParams.update({"grid.alpha": 0.25, "axes.spines.top": False, "axes.spines.right": False})
    height = max(y + h for _, y, _, h in (panel.at for panel in panels))
    figure = Figure(figsize=(COLUMNS * CELL_INCHES[0], (height + 1) * CELL_INCHES[1]))
    start = min(when for several in found for lines in several for one in lines for when in one.times)
    for panel, several in zip(panels, found, strict=True):
        x, y, w, h = panel.at
        box = (x / COLUMNS + 0.032, 1 - (y + h - 0.9) / (height + 1), w / COLUMNS - 0.04, (h - 1.9) / (height + 1))
        if panel.kind == "row":
            figure.text(0.01, 1 - (y + 0.7) / (height + 1), panel.title, fontsize=10, weight="bold")
        else:
            _panel(figure.add_axes(box), panel, several, start)
    told = (
        f"Drawn by benchmarks.monitoring from the answers of {caption}: the dashboard's panels, not Grafana's picture."
    )
    figure.text(0.01, 0.004, told, fontsize=7, color="gray")
    figure.savefig(path, dpi=90)


def _panel(axes: Axes, panel: Panel, several: Found, start: float) -> None:
    axes.set_title(panel.title)
    named = [
        (_legend(target.legend, line), line)
        for target, lines in zip(panel.targets, several, strict=True)
        for line in lines
        if line.values
    ]
    if panel.kind == "stat":
        _stat(axes, panel, named)
    elif panel.kind == "heatmap":
        _heatmap(axes, [line for _, line in named], start)
    else:
        _lines(axes, panel, named, start)


def _legend(pattern: str, line: Series) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: line.labels.get(found[1], ""), pattern) or "(none)"


def _stat(axes: Axes, panel: Panel, named: list[tuple[str, Series]]) -> None:
    axes.axis("off")
    for _, line in named:
        axes.text(0.02, 0.25, UNITS[panel.unit](line.values[-1]), fontsize=20, transform=axes.transAxes)


def _lines(axes: Axes, panel: Panel, named: list[tuple[str, Series]], start: float) -> None:
    if panel.stacked and named:
        times = sorted({when for _, line in named for when in line.times})
        rows = [_at(times, line) for _, line in named]
        axes.stackplot([when - start for when in times], rows, labels=[name for name, _ in named], alpha=0.75)
    else:
        for name, line in named:
            axes.plot([when - start for when in line.times], line.values, label=name, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: UNITS[panel.unit](value)))
    axes.legend(fontsize=5.5, loc="upper left", framealpha=0.6, ncols=2)


def _at(times: list[float], line: Series) -> list[float]:
    there = dict(zip(line.times, line.values, strict=True))
    return [there.get(when, 0.0) for when in times]


def _heatmap(axes: Axes, lines: list[Series], start: float) -> None:
    """Buckets are cumulative: each without those below it is what fell into it."""
    ordered = sorted(lines, key=lambda line: float(line.labels["le"]))
    times = sorted({when for line in ordered for when in line.times})
    counts = np.diff([_at(times, line) for line in ordered], axis=0, prepend=0)  # [buckets, times]
    axes.imshow(counts, aspect="auto", origin="lower", cmap="Blues", interpolation="nearest")
    axes.set_yticks(range(0, len(ordered), 3), [f"≤ {line.labels['le']}" for line in ordered[::3]])
    axes.set_xticks(range(0, len(times), 10), [f"{times[at] - start:.0f}" for at in range(0, len(times), 10)])
    axes.grid(visible=False)
