"""How the study's plots look, and how they are written: PNG on white, SVG in the colours of the page it is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

INK, QUIET, LINE, PAPER = "#1b1b22", "#63636f", "#d9d9e0", "#ffffff"
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#b8659a", "#8c8c98"
"""Okabe and Ito's colours, told apart with any kind of colour vision; the purple is darkened to be seen on white."""
SERIES = (BLUE, ORANGE, GREEN, PURPLE)
_ON_PAGE = {
    INK: "currentColor",
    QUIET: f"var(--quiet, {QUIET})",
    LINE: f"var(--line, {LINE})",
    PAPER: f"var(--card, {PAPER})",
    BLUE: f"var(--blue, {BLUE})",
}
"""Colours that the page says: in the dark they are others."""
WIDTH = 7.4
"""Inches; text of 9 points in it can be read where the figure is as wide as a phone held sideways."""


def blank(height: float, columns: int = 1, *, share_y: bool = False, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side; no pyplot, which would keep every figure alive."""
    with _looks(""):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False, sharey=share_y)
        for axis in axes[0]:
            _tidy(axis)
    return figure, list(axes[0])


def png(figure: Figure, path: Path) -> None:
    """Write it for pages that show pictures only."""
    _take_names_as_they_are(figure)
    with _looks(""):
        figure.savefig(path, format="png", dpi=160, facecolor=PAPER, metadata={"Software": None})


def inline_svg(figure: Figure, name: str) -> str:
    """An `<svg>` element for an HTML page: equal figures give equal text, and no two names share an id that differs."""
    _take_names_as_they_are(figure)
    held = StringIO()
    with _looks(name):
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(held, format="svg", transparent=True, metadata=nothing)
    text = held.getvalue()
    text = text[text.index("<svg") :]  # an XML head has no place inside HTML
    for colour, on_page in _ON_PAGE.items():
        text = text.replace(colour, on_page)
    return text


def title(figure: Figure, headline: str, subtitle: str) -> None:
    """Two lines flush left: what is seen, and what it is measured in."""
    figure.suptitle(f"{headline}\n ", x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, linespacing=1.5)
    below = 1 - 0.36 / figure.get_figheight()
    figure.text(0.01, below, subtitle, ha="left", va="top", fontsize=9, color=QUIET)


def short(value: float) -> str:
    """A number on an axis, with no zero that says nothing."""
    text = f"{abs(value):.4f}".rstrip("0").removeprefix("0").rstrip(".")
    return f"{'−' if value < 0 else ''}{text}" if text else "0"


def _take_names_as_they_are(figure: Figure) -> None:
    """A dollar sign in the name of a data set is no formula."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_parse_math(False)


def _tidy(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(LINE)
    axis.tick_params(colors=QUIET, labelcolor=INK, length=0, labelsize=9)
    axis.set_axisbelow(True)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set(color=QUIET, fontsize=9)


@contextmanager
def _looks(salt: str) -> Iterator[None]:
    """Glyphs as outlines: the page looks the same wherever it is read, whatever is installed there."""
    with rc_context(
        {
            "svg.fonttype": "path",
            "svg.hashsalt": f"prm-kd {salt}",
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.color": INK,
            "axes.edgecolor": LINE,
            "axes.titlelocation": "left",
        }
    ):
        yield
