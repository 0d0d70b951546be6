"""How ONNX graphs are opened: the provider, the threads, and weights that workers can share."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import onnxruntime as ort

from service.bundle import BundleCorrupt

Device = Literal["cpu", "cuda"]


class DeviceUnavailable(RuntimeError):
    """The device that the settings name is not there."""


def open_session(path: Path, device: Device, threads: int) -> ort.InferenceSession:
    """Open a graph.

    Raises:
        DeviceUnavailable: onnxruntime has no such device; it would else fall back to the CPU without a word.
        BundleCorrupt: onnxruntime does not accept the file.
    """
    ort.disable_telemetry_events()  # some builds would else tell their makers which models are opened
    wanted = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins for its next task takes the core from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Prepacking would copy the item table into private memory; as it lies in the file, all workers map the same pages.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.log_severity_level = 3
    _require(wanted)
    try:
        session = ort.InferenceSession(path, options, providers=[wanted])
    except Exception as error:
        raise BundleCorrupt(f"{path}: onnxruntime does not open it: {error}") from error
    if wanted not in session.get_providers():
        raise DeviceUnavailable(f"{wanted} is installed but does not start on this machine")
    return session


def _require(provider: str) -> None:
    there = ort.get_available_providers()
    if provider not in there:
        raise DeviceUnavailable(f"onnxruntime has no {provider}, only {', '.join(there)}")
