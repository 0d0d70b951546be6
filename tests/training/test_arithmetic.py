"""Tuning a process changes how fast it multiplies, not what comes out."""

from __future__ import annotations

import subprocess
import sys

import torch

from training.arithmetic import multiplies_bf16

PRODUCT = """
import torch
from training.arithmetic import tune_processor
tune_processor()
assert torch.get_float32_matmul_precision() == "medium"
generator = torch.Generator().manual_seed(0)
left, right = (torch.randn(300, 300, generator=generator, dtype=torch.double) for _ in range(2))
exact, found = left @ right, (left.float() @ right.float()).double()
print(float((found - exact).abs().max() / exact.abs().max()))
"""


def test_products_stay_right_in_a_tuned_process() -> None:
    found = subprocess.run([sys.executable, "-c", PRODUCT], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 1e-2  # with AMX, factors have 8 bits; without, it is 1e-6


def test_whether_bf16_has_instructions_is_told() -> None:
    assert isinstance(multiplies_bf16(torch.device("cpu")), bool)
    assert multiplies_bf16(torch.device("meta")) is False
