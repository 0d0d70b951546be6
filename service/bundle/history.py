"""The one rule by which a history becomes a model's input: used in training, in export and online."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.bundle.catalog import PAD


def history_window(indices: ArrayLike, length: int) -> NDArray[np.int64]:
    """The newest `length` known items, newest right, filled up with PAD on the left.

    Args:
        indices: item indices [H] of one history, oldest first; PAD where the catalogue does not know the item.
        length: L, the length of the window.

    Returns:
        int64[L]. Unknown items are dropped before the cut, so they never push a known one out.
    """
    known = np.asarray(indices, dtype=np.int64)  # [H]
    known = known[known != PAD][-length:]  # [min(H, L)]
    window = np.full(length, PAD, dtype=np.int64)  # [L]
    if known.size:
        window[-known.size :] = known
    return window
