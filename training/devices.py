"""Where models compute."""

from __future__ import annotations

from typing import Literal

import torch

DeviceChoice = Literal["auto", "cpu", "cuda"]


def pick_device(wanted: DeviceChoice = "auto") -> torch.device:
    """The device of a name; `auto`: the first GPU that this process sees, else the processor."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device("cuda:0" if wanted == "cuda" else wanted)  # as tensors there say it, so that equal is equal


def device_name(device: torch.device) -> str:
    """What a person calls it: the make of a GPU, else the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
