"""Where graphs run: what the settings ask for, what there is, and what is missing for a GPU."""

from __future__ import annotations

import ctypes
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Literal

Device = Literal["cpu", "cuda"]
WantedDevice = Literal["auto", "cpu", "cuda"]
PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_IDENTITY = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a0808011204"
    "0a02080142040a001011"
)
"""The smallest graph: y = x."""


class DeviceUnavailable(RuntimeError):
    """The device that the settings name is not there."""


@dataclass(frozen=True)
class ChosenDevice:
    """A device that graphs run on."""

    device: Device
    reason: str | None = None
    """Why it is the CPU although it might have been a GPU."""

    def __str__(self) -> str:
        return self.device if self.reason is None else f"{self.device} ({self.reason})"


def choose_device(wanted: WantedDevice) -> ChosenDevice:
    """The device to use; `auto` is a GPU where one works, else the CPU.

    Raises:
        DeviceUnavailable: a GPU is asked for by name and does not work; says what is missing.
    """
    if wanted == "cpu":
        return ChosenDevice("cpu")
    missing = missing_for_cuda()
    if missing is None:
        return ChosenDevice("cuda")
    if wanted == "cuda":
        raise DeviceUnavailable(f"REC_DEVICE is cuda, and {missing}")
    return ChosenDevice("cpu", missing)


def missing_for_cuda() -> str | None:
    """What keeps graphs from running on a GPU, the first thing to mend; None: they run there."""
    import onnxruntime as ort  # starts a thread; workers are forked from a process that must have none

    there = ort.get_available_providers()
    if PROVIDERS["cuda"] not in there:
        return (
            f"the installed onnxruntime {ort.__version__} has no {PROVIDERS['cuda']}, only {', '.join(there)}: "
            "install onnxruntime-gpu in its place (the extra `gpu`)"
        )
    missing = _missing_of_driver()
    if missing is not None:
        return missing
    load_cuda_libraries()
    return _missing_of_provider()


@cache
def load_cuda_libraries() -> None:
    """Load the CUDA and cuDNN libraries that pip has put beside onnxruntime, where the dynamic linker does not look.

    Once in a process, which keeps them. Those that are not there are left to the linker's own paths. onnxruntime prints
    what it does not find: to stderr, as stdout may be a log of JSON lines.
    """
    import onnxruntime as ort

    with redirect_stdout(sys.stderr):
        ort.preload_dlls()


def _missing_of_driver() -> str | None:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver: libcuda.so.1 cannot be loaded (in a container: start it with --gpus)"
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the NVIDIA driver finds no GPU"
    return None


def _missing_of_provider() -> str | None:
    """onnxruntime falls back to the CPU without a word, so a session is opened and asked."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(_IDENTITY, options, providers=[PROVIDERS["cuda"]])
        started = PROVIDERS["cuda"] in session.get_providers()
    except Exception:  # noqa: BLE001 onnxruntime has a class of its own for each way in which it can fail
        started = False
    if started:
        return None
    return (
        f"{PROVIDERS['cuda']} does not start: the CUDA and cuDNN libraries that onnxruntime-gpu {ort.__version__} "
        "was built for are not all there"
    )
