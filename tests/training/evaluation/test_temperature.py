import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from training.evaluation.temperature import BOUNDS, calibrated_temperature


def drawn(seed: int, sharpness: float = 1.0, rows: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and targets drawn from softmax(logits * sharpness)."""
    source = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 12, generator=source, dtype=torch.float64)
    target = torch.multinomial((logits * sharpness).softmax(dim=-1), 1, generator=source).squeeze(1)
    return logits, target


@pytest.mark.parametrize("wanted", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(wanted: float) -> None:
    logits, target = drawn(0, sharpness=1 / wanted)
    assert calibrated_temperature(logits, target) == pytest.approx(wanted, rel=0.05)


@given(st.integers(0, 999), st.floats(0.3, 3))
def test_no_temperature_of_a_grid_is_better(seed: int, sharpness: float) -> None:
    logits, target = drawn(seed, sharpness, rows=40)
    found = calibrated_temperature(logits, target)
    grid = torch.linspace(*BOUNDS, 60)
    best = min(cross_entropy(logits / one, target) for one in grid)
    assert cross_entropy(logits / found, target) <= best + 1e-5


@pytest.mark.parametrize(("sharpness", "bound"), [(50.0, BOUNDS[0]), (0.0, BOUNDS[1])])
def test_it_stays_within_its_bounds(sharpness: float, bound: float) -> None:
    assert calibrated_temperature(*drawn(0, sharpness, rows=2000)) == pytest.approx(bound, rel=1e-3)
