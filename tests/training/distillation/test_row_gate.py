import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.distillation.row_gate import RowGate, RowGateConfig, no_harm_gate

SEED = st.integers(0, 10_000)
CONFIG = st.builds(RowGateConfig, k=st.floats(0.1, 5), margin=st.floats(-2, 2), momentum=st.floats(0, 0.95))


def judged(seed: int, rows: int = 12) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Agreement, NLL of mixture and student, and which rows a teacher scored: [R] each, the NLLs in float64."""
    source = torch.Generator().manual_seed(seed)
    agreement, mixture, student, drawn = torch.rand(4, rows, generator=source, dtype=torch.float64)
    return agreement, 8 * mixture, 8 * student, drawn < 0.8


@given(SEED, CONFIG)
def test_exactly_the_known_rows_are_open_on_which_teachers_are_no_worse_than_the_margin(
    seed: int, config: RowGateConfig
) -> None:
    agreement, mixture, student, known = judged(seed)
    found = no_harm_gate(agreement, mixture, student, known, config)
    assert torch.equal(found > 0, known & (mixture < student + config.margin))


@given(SEED, CONFIG)
def test_the_mean_over_known_rows_is_1_or_everything_is_closed(seed: int, config: RowGateConfig) -> None:
    agreement, mixture, student, known = judged(seed)
    found = no_harm_gate(agreement, mixture, student, known, config)
    assert bool((found >= 0).all())
    if bool((found > 0).any()):
        assert found[known].mean().item() == pytest.approx(1)
    else:
        assert not (known & (mixture < student + config.margin)).any()


@given(SEED, CONFIG)
def test_open_rows_differ_by_their_clipped_agreement(seed: int, config: RowGateConfig) -> None:
    agreement, mixture, student, known = judged(seed)
    found = no_harm_gate(agreement, mixture, student, known, config)
    taught = found > 0
    ratio = found[taught] / (config.k * agreement[taught]).clamp(max=2)
    assert torch.allclose(ratio, ratio.mean())


def test_nobody_known_or_nobody_open_is_0_and_no_nan() -> None:
    agreement, mixture, student, known = judged(0)
    nobody = torch.zeros_like(known)
    closed = no_harm_gate(agreement, mixture, mixture - 1, known, RowGateConfig())
    assert closed.tolist() == no_harm_gate(agreement, mixture, student, nobody, RowGateConfig()).tolist() == [0.0] * 12
    assert no_harm_gate(agreement[:0], mixture[:0], student[:0], known[:0], RowGateConfig()).shape == (0,)


def test_equal_teachers_and_an_unmet_student_are_the_papers_gate_of_1() -> None:
    known = torch.tensor([True, True, False, True])
    student = torch.full((4,), torch.inf)
    found = no_harm_gate(torch.full((4,), 0.7), torch.ones(4), student, known, RowGateConfig())
    assert torch.allclose(found, known.float())


def test_no_gradient_reaches_the_gate() -> None:
    agreement, mixture, student, known = judged(0)
    assert not no_harm_gate(agreement.requires_grad_(), mixture, student, known, RowGateConfig()).requires_grad


def gate_over(rows: int, config: RowGateConfig) -> RowGate:
    """All teachers at one on everything, at an NLL of 2."""
    return RowGate(np.ones(rows, dtype=np.float32), np.full(rows, 2, dtype=np.float32), config)


def test_every_row_is_open_until_the_student_was_there_and_closes_where_it_is_better() -> None:
    gate = gate_over(4, RowGateConfig(momentum=0))
    place, known = np.array([0, 2]), torch.ones(2, dtype=torch.bool)
    assert gate.of(place, torch.tensor([1.0, 3.0]), known).tolist() == [1, 1]
    assert gate.of(place, torch.tensor([1.0, 3.0]), known).tolist() == [0, 2]
    assert gate.of(np.array([1, 3]), torch.tensor([0.0, 0.0]), known).tolist() == [1, 1]


@given(st.lists(st.floats(0, 20, width=32), min_size=1, max_size=6), st.floats(0, 0.95))
def test_the_running_mean_begins_with_the_first_and_follows_its_momentum(seen: list[float], momentum: float) -> None:
    gate = gate_over(2, RowGateConfig(momentum=momentum))
    wanted = seen[0]
    for one in seen:
        wanted = momentum * wanted + (1 - momentum) * one
        gate.of(np.array([1]), torch.tensor([one]), torch.tensor([True]))
    assert np.isinf(gate.student_nll[0])
    assert gate.student_nll[1] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_nothing_is_remembered_of_a_row_that_no_teacher_scored() -> None:
    gate = gate_over(2, RowGateConfig())
    found = gate.of(np.array([0, 1]), torch.tensor([3.0, 4.0]), torch.tensor([False, True]))
    assert found.tolist() == [0, 1]
    assert np.array_equal(gate.student_nll, [np.inf, 4])
