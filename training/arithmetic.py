"""How numbers are multiplied and where they are kept on a processor: what makes training fast and changes no result.

On an AMD EPYC (Zen 5, one thread; `python -m benchmarks.arithmetic`) a product of 2,048 x 64 by 64 x 4,385 in fp32 runs
at 74 GFLOP/s by torch's default library (MKL, which takes its AVX2 path on AMD) and at 238 by oneDNN's AVX-512 kernels;
and a step that asks the system for tens of MB and gives them back, several times over, waits for their pages.
"""

from __future__ import annotations

import ctypes
import sys

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX of glibc's malloc.h."""
_KEPT_BYTES = 2**31 - 1
_PAD_BYTES = 2**27


def tune_processor() -> None:
    """Choose the faster kernels, and keep freed memory for the next step. For a process that trains; call it once.

    The kernels are asked for by torch's word for "bf16 inside is allowed". Without AMX they compute in fp32 all the
    same; with AMX they round the factors, not the sums, to bf16. Exports are proven equal in full fp32 either way, as
    `export` does not call this.
    """
    torch.set_float32_matmul_precision("medium")
    if sys.platform == "linux":
        _keep_freed_memory()


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
