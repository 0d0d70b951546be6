import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.evaluation.metrics import ndcg
from training.evaluation.pair_scorer import PairScorer
from training.evaluation.ranking import PROTOCOLS, Masking, TwoTowerScorer, target_ranks
from training.evaluation.scoring import served_scorer
from training.evaluation.selection import selection_half, validation_ndcg
from training.evaluation.two_stage import TwoStageScorer
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FMConfig
from training.students.item_fields import item_fields


@pytest.fixture(scope="module")
def student(markov: Dataset) -> DeepFM:
    torch.manual_seed(0)
    return DeepFM(DeepFMConfig(fm=FMConfig(max_history=8, init_std=0.5)), item_fields(markov)).eval()


def test_retrievals_first_items_have_their_scores_of_pairs_and_no_other_item_is_a_candidate(
    markov: Dataset, student: DeepFM
) -> None:
    rows = markov.split.test.row[:70]
    retrieval = TwoTowerScorer.of(student)
    found = TwoStageScorer(student, retrieval, candidates=5).scores(markov.interactions, rows)  # [E, N+1]
    by_dot, whole = (
        one.scores(markov.interactions, rows) for one in (retrieval, PairScorer.of(student))
    )  # [E, N+1] each
    for line in range(70):
        best = np.sort(1 + np.argsort(-by_dot[line, 1:])[:5])  # [5]
        assert np.array_equal(np.flatnonzero(np.isfinite(found[line])), best)
        assert np.allclose(found[line, best], whole[line, best], atol=1e-4)


def test_with_every_item_a_candidate_it_is_the_whole_score(markov: Dataset, student: DeepFM) -> None:
    rows = markov.split.test.row[:70]
    served, whole = (
        one.scores(markov.interactions, rows) for one in (served_scorer(student), PairScorer.of(student))
    )  # [E, N+1] each
    assert np.allclose(served[:, 1:], whole[:, 1:], atol=1e-4)  # 40 items, all of them candidates


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_epochs_are_chosen_by_what_is_served(markov: Dataset, student: DeepFM, protocol: Masking) -> None:
    half = selection_half(markov.split.validation)
    wanted = ndcg(target_ranks(served_scorer(student), markov.interactions, half, protocol), 10)
    assert validation_ndcg(student, markov, half, protocol) == wanted
    assert isinstance(served_scorer(student), TwoStageScorer)
    assert isinstance(served_scorer(student.fm), TwoTowerScorer)
