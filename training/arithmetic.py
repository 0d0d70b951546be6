"""How numbers are multiplied and where they are kept on a processor: what makes training fast and changes no result.

On an AMD EPYC (Zen 5, one thread; `python -m benchmarks.arithmetic`) a product of 2,048 x 64 by 64 x 4,385 in fp32 runs
at 74 GFLOP/s by torch's default library (MKL, which takes its AVX2 path on AMD) and at 238 by oneDNN's AVX-512 kernels;
and a step that asks the system for tens of MB and gives them back, several times over, waits for their pages.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX of glibc's malloc.h."""
_KEPT_BYTES = 2**31 - 1
_PAD_BYTES = 2**27

_TUNED: ContextVar[bool] = ContextVar("tuned", default=False)
"""Of the thread that called `tune_processor`: a training in another one multiplies as torch does by itself."""


def tune_processor() -> None:
    """Keep freed memory for the next step, and let steps multiply fast. For a process that trains; call it once.

    The faster kernels are asked for by torch's word for "bf16 inside is allowed". Where they compute in fp32 all the
    same, everything uses them. Where they would round factors to bf16 (AMX, Arm) or TF32 (CUDA), steps alone do: what
    is gathered, calibrated, measured or exported is multiplied in full. A memory that is asked in a step is not.
    """
    _TUNED.set(True)
    torch.set_float32_matmul_precision("highest" if _rounds_factors() else "medium")
    torch.backends.cudnn.allow_tf32 = False  # GRU4Rec answers by cuDNN, which has a word of its own
    if sys.platform == "linux":
        _keep_freed_memory()


@contextmanager
def step_products() -> Iterator[None]:
    """The fastest products there are, for a step of training in a tuned process; elsewhere nothing changes."""
    before = torch.get_float32_matmul_precision()
    if _TUNED.get():
        torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _rounds_factors() -> bool:
    """Whether "medium" does so somewhere here; known not to are the processors of PCs that have no AMX."""
    exact = platform.machine() in {"x86_64", "AMD64"} and not torch.cpu._is_amx_tile_supported()  # nothing public tells
    return torch.cuda.is_available() or not exact


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bf16 by instructions of its own; without them it takes several times as long."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())  # nothing public tells


def _keep_freed_memory() -> None:
    """Of glibc; another C library has no `mallopt`, or ignores it."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEPT_BYTES), (_TOP_PAD, _PAD_BYTES)):
            tune(option, value)
