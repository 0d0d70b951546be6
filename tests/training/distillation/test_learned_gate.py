import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.config import ConfigError
from training.distillation.consistency import consistency
from training.distillation.learned_gate import (
    FEATURES,
    LearnedGate,
    LearnedGateConfig,
    RowFacts,
    fit_gate,
    gate_features,
    gate_nll,
)

SEED = st.integers(0, 10_000)
SHORT = LearnedGateConfig(steps=25, hidden=4)
few = settings(max_examples=6, deadline=None)
Draw = Callable[..., Tensor]


def some_facts(rows: int = 4) -> RowFacts:
    return RowFacts(torch.arange(rows), 3 * torch.arange(rows).flip(0))


def some_presence(seed: int, teachers: int = 3, rows: int = 4) -> Tensor:
    """In row 0 all are there, in row 1 nobody is."""
    present = torch.rand(teachers, rows, generator=torch.Generator().manual_seed(seed)) < 0.7
    present[:, 0], present[:, 1] = True, False
    return present


def random_gate(seed: int, teachers: int = 3) -> LearnedGate:
    """One that is not the plain mean."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gate = LearnedGate(teachers, 4).double()
        for one in gate.parameters():
            torch.nn.init.normal_(one)
    return gate


def heldout(seed: int, rows: int = 300) -> tuple[Tensor, Tensor, Tensor]:
    """Three teachers; a feature of the row says whether the first or the second is right, the third always guesses."""
    source = torch.Generator().manual_seed(seed)
    features = torch.randn(3, rows, FEATURES, generator=source, dtype=torch.float64)
    features[..., -1] = features[0, :, -1]
    right = features[0, :, -1] > 0
    log_likelihood = torch.stack(
        [torch.where(right, 0.8, 0.01), torch.where(right, 0.01, 0.8), torch.full((rows,), 0.1)]
    )
    return features, log_likelihood.double().log(), torch.ones(3, rows, dtype=torch.bool)


@given(seed=SEED, masked=st.booleans())
def test_features_are_what_the_teachers_say_and_what_the_row_is(some_logits: Draw, *, seed: int, masked: bool) -> None:
    log_p, present = some_logits(seed, masked=masked).log_softmax(dim=-1), some_presence(seed)
    agreement = consistency(log_p, present)
    found = gate_features(log_p, agreement, present, some_facts())
    assert found.shape == (3, 4, FEATURES)
    assert not found[~present].any()
    for teacher, row in present.nonzero().tolist():
        p = [one for one in log_p[teacher, row].exp().tolist() if one > 0]
        entropy = -sum(one * math.log(one) for one in p)
        own = [entropy, math.log(max(p)), agreement[teacher, row].item()]
        missing = (~present[:, row]).sum().item() / 3
        wanted = [*own, math.log1p(row), math.log1p(3 * (3 - row)), missing]
        assert torch.allclose(found[teacher, row, [0, 1, 2, 6, 7, 8]], torch.tensor(wanted).double(), atol=1e-6)
        assert torch.allclose(found[teacher, row, 3:6], found[present[:, row], row, :3].mean(dim=0))


def test_no_label_is_needed_and_no_nan_comes_of_a_certain_teacher() -> None:
    log_p = torch.eye(3)[:, None].log()
    present = torch.ones(3, 1, dtype=torch.bool)
    found = gate_features(log_p, consistency(log_p, present), present, RowFacts(torch.ones(1), torch.ones(1)))
    assert bool(found.isfinite().all())


@given(SEED)
def test_an_unfitted_gate_is_the_plain_mean_of_those_who_are_there(seed: int) -> None:
    present = some_presence(seed)
    found = LearnedGate(3, 5).weights(torch.randn(3, 4, FEATURES), present)
    assert torch.allclose(found, present / present.sum(dim=0).clamp(min=1))


@given(SEED, st.permutations(range(3)))
def test_the_weights_follow_their_teachers(seed: int, order: list[int]) -> None:
    gate, moved, present = random_gate(seed), random_gate(seed), some_presence(seed)
    features = torch.randn(3, 4, FEATURES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        moved.identity.copy_(gate.identity[order])
        moved.trust.copy_(gate.trust[order])
    wanted = gate.weights(features, present)[order]
    assert torch.allclose(moved.weights(features[order], present[order]), wanted)


@few
@given(SEED, st.permutations(range(3)))
def test_the_order_of_teachers_does_not_matter_to_the_fit(seed: int, order: list[int]) -> None:
    features, log_likelihood, present = heldout(seed, 60)
    gate = fit_gate(features, log_likelihood, present, SHORT)
    moved = fit_gate(features[order], log_likelihood[order], present[order], SHORT)
    wanted = gate.weights(features, present)[order]
    assert torch.allclose(moved.weights(features[order], present[order]), wanted, atol=1e-4)


@given(SEED)
def test_weights_are_finite_and_0_where_nobody_is_and_their_gradient_is_finite(seed: int) -> None:
    gate, present = random_gate(seed), some_presence(seed)
    features = torch.randn(3, 4, FEATURES, dtype=torch.float64)
    found = gate.weights(features, present)
    assert not found.requires_grad
    assert not found[~present].any()
    assert torch.allclose(found.sum(dim=0), present.any(dim=0).double())
    some = present.any(dim=0)
    gate_nll(gate(features, present)[:, some], torch.rand(3, int(some.sum())).log()).backward()  # type: ignore[no-untyped-call]
    assert all(one.grad is not None and bool(one.grad.isfinite().all()) for one in gate.parameters())


@few
@given(SEED)
def test_a_gate_learns_whom_to_trust_when(seed: int) -> None:
    gate = fit_gate(*heldout(seed), LearnedGateConfig(steps=120))
    features, log_likelihood, present = heldout(seed + 1)
    weights = gate.weights(features, present)
    right = features[0, :, -1] > 0
    assert weights[0, right].mean() > 0.75 > 0.25 > weights[0, ~right].mean()
    assert weights[2].mean() < 0.2
    plain = gate_nll(torch.full((3, 300), 1 / 3).log(), log_likelihood)
    assert gate_nll(gate(features, present), log_likelihood) < plain - 0.3


@few
@given(SEED)
def test_where_nothing_can_be_learnt_it_is_no_worse_than_the_plain_mean_on_the_rows_it_stops_by(seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    features = torch.randn(3, 50, FEATURES, generator=source)
    log_likelihood = torch.rand(3, 50, generator=source).log()
    present = torch.ones(3, 50, dtype=torch.bool)
    gate = fit_gate(features, log_likelihood, present, SHORT)
    stop = torch.randperm(50, generator=torch.Generator().manual_seed(SHORT.seed))[:10]
    plain = gate_nll(torch.full((3, 10), 1 / 3).log(), log_likelihood[:, stop])
    assert gate_nll(gate(features[:, stop], present[:, stop]), log_likelihood[:, stop]) <= plain + 1e-6


def test_equal_arguments_make_equal_gates_another_seed_another_and_torchs_own_numbers_are_left_alone() -> None:
    arguments = heldout(0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (fit_gate(*arguments, LearnedGateConfig(steps=5, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not torch.equal(one.first.weight, other.first.weight)


@given(st.floats(0.01, 100), st.floats(-50, 50))
@few
def test_the_unit_of_a_feature_does_not_matter(scale: float, shift: float) -> None:
    features, log_likelihood, present = heldout(3, 80)
    wanted = fit_gate(features, log_likelihood, present, SHORT).weights(features, present)
    other = scale * features + shift
    found = fit_gate(other, log_likelihood, present, SHORT).weights(other, present)
    assert torch.allclose(found, wanted, atol=1e-3)


def test_the_statistics_travel_with_the_gate() -> None:
    features, log_likelihood, present = heldout(0)
    gate = fit_gate(10 * features + 3, log_likelihood, present, SHORT)
    again = LearnedGate(3, SHORT.hidden).double()
    again.load_state_dict(gate.state_dict())
    assert torch.equal(again.weights(features, present), gate.weights(features, present))
    assert bool((again.spread > 5).all())


def test_rows_without_teachers_are_left_out_and_impossible_labels_are_no_nan() -> None:
    features, log_likelihood, present = heldout(0, 200)
    present[:, 10:20] = False
    log_likelihood[:, ::4] = -torch.inf
    with_them = fit_gate(features, log_likelihood, present, SHORT)
    kept = present.any(dim=0)
    without = fit_gate(features[:, kept], log_likelihood[:, kept], present[:, kept], SHORT)
    assert torch.equal(with_them.last.weight, without.last.weight)
    assert bool(with_them.last.weight.isfinite().all())
    assert with_them.last.weight.any()  # some step was better than the start


def test_one_row_is_not_enough() -> None:
    features, log_likelihood, present = heldout(0, 1)
    with pytest.raises(ConfigError, match="1 are here, 2 at least"):
        fit_gate(features, log_likelihood, present, SHORT)
