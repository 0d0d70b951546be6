"""Tuning a process changes how fast it multiplies, not what comes out."""

from __future__ import annotations

import subprocess
import sys

import torch

from training.arithmetic import multiplies_bf16, step_products

PRODUCT = """
import torch
from training.arithmetic import step_products, tune_processor
generator = torch.Generator().manual_seed(0)
left, right = (torch.randn(300, 300, generator=generator, dtype=torch.double) for _ in range(2))
exact = left @ right

def error():
    found = (left.float() @ right.float()).double()
    return float((found - exact).abs().max() / exact.abs().max())

tune_processor()
before = error()
with step_products():
    assert torch.get_float32_matmul_precision() == "medium"
    within = error()
print(before, within, error())
"""


def test_products_stay_right_in_a_tuned_process() -> None:
    found = subprocess.run([sys.executable, "-c", PRODUCT], capture_output=True, text=True, check=True)
    before, within, after = map(float, found.stdout.split())
    assert max(before, after) < 1e-5
    assert within < 1e-2  # with AMX, the factors of a step have 8 bits; without, it is 1e-6


def test_a_process_that_is_not_tuned_multiplies_as_it_did() -> None:
    before = torch.get_float32_matmul_precision()
    with step_products():
        assert torch.get_float32_matmul_precision() == before


def test_whether_bf16_has_instructions_is_told() -> None:
    assert isinstance(multiplies_bf16(torch.device("cpu")), bool)
    assert multiplies_bf16(torch.device("meta")) is False
