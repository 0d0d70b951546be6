"""The number on what was seen is the likeliest one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from training.evaluation.repeat_calibration import LIMIT, calibrated, calibrated_offset
from training.evaluation.temperature import calibrated_temperature


def drawn(
    seed: int, sharpness: float, offset: float, rows: int = 20_000, above: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, targets drawn from softmax(logits * sharpness + offset * seen), and what was seen, which stands above the
    rest as what is most like the history does."""
    source = torch.Generator().manual_seed(seed)
    seen = torch.rand(rows, 12, generator=source) < 0.3
    logits = 2 * torch.randn(rows, 12, generator=source, dtype=torch.float64) + above * seen
    chances = (logits * sharpness + offset * seen).softmax(dim=-1)
    return logits, torch.multinomial(chances, 1, generator=source).squeeze(1), seen


@pytest.mark.parametrize("wanted", [-3.0, 0.0, 2.0])
def test_a_known_offset_is_found(wanted: float) -> None:
    assert calibrated_offset(*drawn(0, 1.0, wanted)) == pytest.approx(wanted, abs=0.15)


@pytest.mark.parametrize(
    ("temperature", "offset", "above"), [(0.5, -2.0, 0.0), (2.0, -2.0, 0.0), (1.0, 1.5, 0.0), (0.5, -8.0, 6.0)]
)
def test_both_are_found_together(temperature: float, offset: float, above: float) -> None:
    sharpness, moved = calibrated(*drawn(1, 1 / temperature, offset, above=above))
    assert sharpness == pytest.approx(temperature, rel=0.06)
    assert moved == pytest.approx(offset, abs=0.15)


@given(st.integers(0, 999), st.floats(0.3, 3), st.floats(-4, 4))
def test_no_pair_of_a_grid_is_better(seed: int, sharpness: float, offset: float) -> None:
    logits, target, seen = drawn(seed, sharpness, offset, rows=60)
    temperature, moved = calibrated(logits, target, seen)
    told = cross_entropy(logits / temperature + moved * seen, target)
    grid = [(t, b) for t in (0.3, 0.5, 1, 2, 3.9) for b in (-11.0, -4.0, -1.0, 0.0, 1.0, 4.0, 11.0)]
    assert told <= min(cross_entropy(logits / t + b * seen, target) for t, b in grid) + 1e-6
    alone = cross_entropy(logits / calibrated_temperature(logits, target), target)
    assert told <= alone + 1e-6


def test_where_nobody_comes_back_it_is_at_its_limit() -> None:
    logits, _, seen = drawn(2, 1.0, 0.0, rows=500)
    target = (logits - 1e6 * seen).argmax(dim=1)
    assert calibrated_offset(logits, target, seen) == -LIMIT
    assert calibrated(logits, target, seen)[1] == -LIMIT


def test_where_it_changes_nothing_it_is_nothing() -> None:
    logits, target, seen = drawn(3, 1.0, 0.0, rows=50)
    for everything in (False, True):
        alike = torch.full_like(seen, everything)
        assert calibrated_offset(logits, target, alike) == 0
        assert calibrated(logits, target, alike) == (calibrated_temperature(logits, target), 0)


def test_a_few_users_tell_nothing() -> None:
    for rows, told in ((19, False), (40, True)):
        logits, target, seen = drawn(4, 1.0, -3.0, rows=rows)
        assert (calibrated_offset(logits, target, seen) != 0) is told
        assert (calibrated(logits, target, seen)[1] != 0) is told
