"""The second graph: a user vector becomes the best items of the whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.bundle.files import RETRIEVAL
from service.devices import Device
from service.lockstep import Fetch, Found
from service.onnx_sessions import open_session


class Retrieval:
    """`retrieval.onnx`: user float32[B, D], n int64[1] -> scores float32[B, n], items int64[B, n]."""

    most_at_once = 1
    """More rows a run are not offered: the last bits of their scores would differ from those of a row alone."""

    def __init__(self, folder: Path, device: Device, threads: int) -> None:
        """Open the graph.

        Raises:
            BundleCorrupt: it does not open.
            DeviceUnavailable: the device is not there.
        """
        self._session = open_session(folder / RETRIEVAL, device, threads)

    def best(self, user: NDArray[np.float32], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores [B, n], falling, and catalogue indices [B, n]; of equal scores the lower index comes first."""
        scores, items = self._session.run(["scores", "items"], {"user": user, "n": np.array([n], np.int64)})
        return scores, items

    def best_many(self, fetches: Sequence[Fetch]) -> list[Found]:
        """One after the other."""
        found = (self.best(one.user, one.n) for one in fetches)
        return [(scores[0], items[0]) for scores, items in found]
