"""The first of the two graphs: a history becomes a user vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.bundle.files import ENCODER
from service.devices import Device
from service.onnx_sessions import open_session


class Encoder:
    """`encoder.onnx`: history int64[B, L] -> user float32[B, D]."""

    def __init__(self, folder: Path, device: Device, threads: int) -> None:
        """Open the graph.

        Raises:
            BundleCorrupt: it does not open.
            DeviceUnavailable: the device is not there.
        """
        self._session = open_session(folder / ENCODER, device, threads)

    def encode(self, history: NDArray[np.int64]) -> NDArray[np.float32]:
        """[B, L] -> [B, D]."""
        user: NDArray[np.float32] = self._session.run(["user"], {"history": history})[0]
        return user
