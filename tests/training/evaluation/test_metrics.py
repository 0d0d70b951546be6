import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.metrics import gains, hits, mrr, ndcg, rank_of_target, recall, summary

SCORES = st.lists(st.integers(0, 3), min_size=2, max_size=6)
"""Few values, so that many tie."""
RANKS = st.lists(st.integers(1, 200).map(lambda rank: rank / 2 + 0.5) | st.just(math.inf), min_size=1, max_size=20)


def rank(scores: list[float], target: int) -> float:
    return float(rank_of_target(np.array([scores], dtype=np.float32), np.array([target]))[0])


@given(SCORES, st.data())
def test_the_rank_is_the_mean_over_all_orders_that_the_scores_allow(scores: list[int], data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(scores) - 1))
    orders = [one for one in permutations(range(len(scores))) if [scores[k] for k in one] == sorted(scores)[::-1]]
    wanted = sum(one.index(target) + 1 for one in orders) / len(orders)
    assert rank([float(one) for one in scores], target) == pytest.approx(wanted)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30))
def test_ranks_of_all_items_add_up_to_what_places_add_up_to(scores: list[int]) -> None:
    size = len(scores)
    matrix = np.tile(np.array(scores, dtype=np.float32), (size, 1))
    assert rank_of_target(matrix, np.arange(size)).sum() == size * (size + 1) / 2


def test_a_constant_scorer_gains_nothing_by_ties() -> None:
    assert rank([1.0] * 101, 5) == 51


@pytest.mark.parametrize("score", [math.nan, -math.inf])
def test_a_target_without_a_score_is_never_a_hit(score: float) -> None:
    ranks = rank_of_target(np.array([[-math.inf, score, -math.inf]], dtype=np.float32), np.array([1]))
    assert set(summary(ranks).values()) == {0.0, 1.0}  # 1 user, 0 of everything
    assert summary(ranks)["users"] == 1


def test_a_model_of_nan_hits_nobody() -> None:
    ranks = rank_of_target(np.full((3, 5), math.nan, dtype=np.float32), np.array([1, 2, 3]))
    assert recall(ranks, 5) == 0


@given(RANKS, st.integers(1, 60))
def test_metrics_are_their_definitions(ranks: list[float], k: int) -> None:
    found = np.array(ranks)
    in_time = [one for one in ranks if one <= k]
    assert recall(found, k) == pytest.approx(len(in_time) / len(ranks))
    assert ndcg(found, k) == pytest.approx(sum(1 / math.log2(1 + one) for one in in_time) / len(ranks))
    assert mrr(found) == pytest.approx(sum(1 / one for one in ranks) / len(ranks))
    assert hits(found, k).mean() == recall(found, k)
    assert gains(found, k).mean() == ndcg(found, k)


@given(RANKS)
def test_no_metric_leaves_0_to_1_and_longer_lists_lose_nothing(ranks: list[float]) -> None:
    found = summary(np.array(ranks))
    assert all(0 <= value <= 1 for name, value in found.items() if name != "users")
    assert found["users"] == len(ranks)
    assert found["recall@50"] >= found["recall@10"] >= found["ndcg@10"]
    assert found["ndcg@50"] >= found["ndcg@10"]


def test_a_perfect_ranking_has_1_everywhere() -> None:
    assert set(summary(np.ones(1)).values()) == {1.0}
