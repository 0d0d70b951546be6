"""Random teachers for the laws of distillation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Draw = Callable[..., Tensor]


@pytest.fixture(scope="session")
def some_logits() -> Draw:
    """Logits float64[M, R, C]; with `masked`, some candidates are -inf for all teachers, the first never."""

    def draw(seed: int, teachers: int = 3, rows: int = 4, *, masked: bool = False, width: int = 6) -> Tensor:
        source = torch.Generator().manual_seed(seed)
        logits = 3 * torch.randn(teachers, rows, width, generator=source, dtype=torch.float64)
        blocked = torch.rand(rows, width, generator=source) < 0.4
        blocked[:, 0] = False
        return logits.masked_fill(blocked & masked, -torch.inf)

    return draw
