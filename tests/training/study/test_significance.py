import math
import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.evaluation.metrics import summary
from training.study.significance import (
    PER_USER,
    BootstrapConfig,
    Estimate,
    estimates,
    holm,
    paired_difference,
    resampled_means,
    share_of,
    user_values,
)

QUICK = BootstrapConfig(resamples=200, seed=3)
VALUE = st.floats(-1, 1, allow_subnormal=False)
PAIRS = st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=30).map(np.array)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def same(one: Estimate, other: Estimate) -> None:
    assert one.model_dump() == pytest.approx(other.model_dump(), abs=1e-9)


@given(PAIRS, st.floats(-5, 5))
def test_shifting_both_sides_changes_nothing(pairs: NDArray[np.float64], shift: float) -> None:
    left, right = np.round(pairs.T, 3)  # so that rounding cannot make a difference of 0 out of one that is not
    same(paired_difference(left + shift, right + shift, QUICK), paired_difference(left, right, QUICK))


@given(PAIRS)
def test_swapped_sides_negate(pairs: NDArray[np.float64]) -> None:
    left, right = pairs.T
    there, back = paired_difference(left, right, QUICK), paired_difference(right, left, QUICK)
    same(back, Estimate(estimate=-there.estimate, low=-there.high, high=-there.low, p=there.p))


@given(PAIRS)
def test_identical_rows_differ_by_nothing(pairs: NDArray[np.float64]) -> None:
    assert paired_difference(pairs[:, 0], pairs[:, 0], QUICK) == Estimate(estimate=0, low=0, high=0, p=1)


@given(PAIRS)
def test_the_interval_holds_no_mean_that_no_draw_could_have(pairs: NDArray[np.float64]) -> None:
    found, difference = paired_difference(pairs[:, 0], pairs[:, 1], QUICK), pairs[:, 0] - pairs[:, 1]
    assert difference.min() - 1e-9 <= found.low <= found.high <= difference.max() + 1e-9
    assert found.estimate == pytest.approx(difference.mean())


def test_the_same_gain_for_everybody_has_no_doubt() -> None:
    found = paired_difference(np.full(50, 0.75), np.full(50, 0.5), QUICK)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.p == pytest.approx(2 / 201)  # the least that 200 draws can say
    assert found.above_zero
    assert not found.below_zero


def test_users_are_paired() -> None:
    """Users differ wildly, the rows do not: unpaired, the gain of .01 would drown."""
    base = np.random.default_rng(0).normal(0, 10, 400)
    found = paired_difference(base + 0.01, base, QUICK)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01), abs=1e-6)


def test_memory_given_does_not_change_what_is_drawn() -> None:
    values = np.random.default_rng(1).normal(size=(40, 3))
    narrow = QUICK.model_copy(update={"chunk_bytes": 1})
    np.testing.assert_allclose(resampled_means(values, narrow), resampled_means(values, QUICK), atol=1e-12)


def test_every_column_is_drawn_as_if_alone() -> None:
    values = np.random.default_rng(2).normal(size=(40, 3))
    for column, found in zip(values.T, estimates(values, QUICK), strict=True):
        same(found, paired_difference(column, np.zeros(40), QUICK))


def test_a_hundred_thousand_users_fit_into_half_a_gigabyte() -> None:
    values = np.random.default_rng(0).random((100_000, 4))
    tracemalloc.start()
    resampled_means(values, BootstrapConfig(resamples=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6


@pytest.mark.parametrize("values", [np.empty((0, 1)), np.array([[math.nan]]), np.zeros(3)])
def test_no_users_and_no_numbers_are_refused(values: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        estimates(values, QUICK)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Skewed like the gains of NDCG: most users 0. Of 400 intervals 95% +- 3.3 (3 standard errors) hold the truth."""
    draw, truth = np.random.default_rng(11), 0.02
    hit = 0
    for seed in range(400):
        left = (draw.random(250) < 0.30 + truth).astype(np.float64)
        right = (draw.random(250) < 0.30).astype(np.float64)
        found = paired_difference(left, right, BootstrapConfig(resamples=400, seed=seed))
        hit += found.low <= truth <= found.high
    assert 0.915 <= hit / 400 <= 0.983


def test_a_difference_of_nothing_is_called_one_as_rarely_as_it_says() -> None:
    draw = np.random.default_rng(5)
    p = [
        paired_difference(draw.random(200), draw.random(200), BootstrapConfig(resamples=400, seed=seed)).p
        for seed in range(400)
    ]
    assert 0.017 <= np.mean(np.array(p) < 0.05) <= 0.083


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 x .005, 3 x .01, 2 x .03; 1 x .04 is lifted to .06
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
        ([0.03, 0.03], [0.06, 0.06]),  # equal ones stay equal: 2 x .03, then max(.03, .06)
    ],
)
def test_holm_worked_by_hand(raw: list[float], wanted: list[float]) -> None:
    assert holm(raw).tolist() == pytest.approx(wanted)


@given(P_VALUES)
def test_holm_is_never_less_than_the_raw_value_nor_more_than_bonferroni(raw: list[float]) -> None:
    found = holm(raw)
    assert np.all(found >= np.array(raw))
    assert np.all(found <= np.minimum(np.array(raw) * len(raw), 1) + 1e-15)


@given(P_VALUES)
def test_holm_keeps_the_order(raw: list[float]) -> None:
    found = holm(raw)[np.argsort(raw, kind="stable")]
    assert np.all(np.diff(found) >= 0)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_does_not_mind_the_order_given(raw: list[float], chance: Random) -> None:
    order = list(range(len(raw)))
    chance.shuffle(order)
    assert holm([raw[k] for k in order]).tolist() == pytest.approx([holm(raw)[k] for k in order])


@settings(max_examples=50)
@given(st.lists(st.integers(1, 200).map(float) | st.just(math.inf), min_size=1, max_size=20))
def test_the_mean_of_what_users_add_is_the_metric(ranks: list[float]) -> None:
    found, known = np.array(ranks), summary(np.array(ranks))
    assert set(PER_USER) == set(known) - {"users"}
    for metric in PER_USER:
        assert user_values([found], metric).mean() == pytest.approx(known[metric])


def test_seeds_are_averaged_user_by_user() -> None:
    seeds = [np.array([1.0, 50.0]), np.array([11.0, 50.0])]
    assert user_values(seeds, "recall@10").tolist() == [0.5, 0.0]


def test_the_share_of_a_gap_is_a_ratio_of_means() -> None:
    whole = np.random.default_rng(0).normal(1, 0.1, 500)
    found = share_of(whole * 0.6, whole, QUICK)
    assert found is not None
    assert (found.share, found.low, found.high) == pytest.approx((0.6, 0.6, 0.6))


def test_there_is_no_share_of_a_gap_that_may_be_none() -> None:
    gap = np.random.default_rng(0).normal(0, 1, 500)
    assert share_of(gap, gap - gap.mean(), QUICK) is None
    assert share_of(gap, np.zeros(500), QUICK) is None
