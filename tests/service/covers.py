"""The tests' bundle with pictures: the drawn covers put into it."""

from __future__ import annotations

import shutil
from pathlib import Path

from service.bundle.item_images import IMAGE_FILES
from tests.service.versions import reseal

DATA = Path(__file__).parent / "data"


def with_covers(tiny: Path, folder: Path) -> Path:
    """A copy of the tiny bundle, in which four of five books have a cover; where it lies."""
    shutil.copytree(tiny, folder)
    for name in IMAGE_FILES:
        shutil.copy(DATA / name, folder)
    reseal(folder)
    return folder
