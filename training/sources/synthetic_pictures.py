"""Small pictures that tell a cluster by colour and layout, each with a grain of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

_CELLS, _CELL = 4, 8
_GRAIN = 12
"""Pictures of a cluster differ by this much of 255 at most: no two items share a file, and no encoder is fooled."""


def write_picture(path: Path, cluster: int, item: int) -> None:
    """Write a PNG of 32 x 32 pixels, if it is not there: a cluster's picture is the same whatever the data set's seed.

    Args:
        path: the file; its folder is made.
        cluster: decides the colours of 4 x 4 cells.
        item: decides the grain.
    """
    if path.is_file():
        return
    cells = np.random.default_rng([5, cluster]).integers(_GRAIN, 256 - _GRAIN, (_CELLS, _CELLS, 3))  # [4, 4, 3]
    wide = cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1)  # [32, 32, 3]
    grain = np.random.default_rng([6, item]).integers(-_GRAIN, _GRAIN, wide.shape)  # [32, 32, 3]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        Image.fromarray((wide + grain).astype(np.uint8)).save(file, "PNG")
    partial.replace(path)
