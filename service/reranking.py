"""The third graph, which not every bundle has: candidates are scored anew, each together with the history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.bundle.files import RERANK
from service.devices import Device
from service.onnx_sessions import open_session


class Reranker:
    """`rerank.onnx`: history int64[B, L], candidates int64[B, C] -> scores float32[B, C]."""

    def __init__(self, folder: Path, device: Device, threads: int) -> None:
        """Open the graph.

        Raises:
            BundleCorrupt: it does not open.
            DeviceUnavailable: the device is not there.
        """
        self._session = open_session(folder / RERANK, device, threads)

    def score(self, history: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float32]:
        """[B, L], [B, C] -> [B, C], in the candidates' places."""
        inputs = {"history": history, "candidates": candidates}
        scores: NDArray[np.float32] = self._session.run(["scores"], inputs)[0]
        return scores
