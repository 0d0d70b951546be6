"""How ONNX graphs are opened: the provider, the threads, and weights that workers can share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from service.bundle import BundleCorrupt
from service.devices import PROVIDERS, Device, DeviceUnavailable

if TYPE_CHECKING:
    import onnxruntime as ort

PROVIDER_OPTIONS: dict[Device, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}
"""GPUs would else round what they multiply to ten bits: lists would differ from the CPU's, and what `SharedRetrieval`
takes a product to be off by at most would not hold."""


def open_session(path: Path, device: Device, threads: int) -> ort.InferenceSession:
    """Open a graph.

    Raises:
        DeviceUnavailable: the device is there, and this graph would still be run by another one.
        BundleCorrupt: onnxruntime does not accept the file.
    """
    import onnxruntime as ort  # starts a thread; workers are forked from a process that must have none

    ort.disable_telemetry_events()  # some builds would else tell their makers which models are opened
    wanted = PROVIDERS[device]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins for its next task takes the core from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Prepacking would copy the item table into private memory; as it lies in the file, all workers map the same pages.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=[(wanted, PROVIDER_OPTIONS[device])])
    except Exception as error:
        raise BundleCorrupt(f"{path}: onnxruntime does not open it: {error}") from error
    if wanted not in session.get_providers():
        raise DeviceUnavailable(f"{path}: {wanted} does not open it")
    return session
