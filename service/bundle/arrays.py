"""Reading one array from a file that may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array as read_npy
from numpy.typing import NDArray

from service.bundle.errors import BundleCorrupt, BundleMissing


def read_array(path: Path) -> NDArray[Any]:
    """The array of an `.npy` file; nothing in it is executed.

    Raises:
        BundleMissing: no such file.
        BundleCorrupt: it holds no array.
    """
    try:
        with path.open("rb") as file:
            return np.asarray(read_npy(file, allow_pickle=False))
    except FileNotFoundError as error:
        raise BundleMissing(f"{path} is not there") from error
    except (ValueError, EOFError, OSError) as error:
        raise BundleCorrupt(f"{path}: {error}") from error
