import numpy as np
import pytest
import torch

from training.dataset import Dataset
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import TwoTowerScorer, target_ranks
from training.evaluation.scoring import scorer_of
from training.evaluation.serving_loss import NodeScorer, ServingLoss, serving_loss
from training.evaluation.two_stage import TwoStageScorer
from training.reranker import CANDIDATES
from training.students.deepfm import DeepFM, DeepFMConfig
from training.students.fm import FMConfig
from training.students.item_fields import item_fields
from training.students.lightgcn import LightGCN, LightGCNConfig
from training.students.user_graph import train_graph


@pytest.fixture(scope="module")
def deepfm(markov: Dataset) -> DeepFM:
    """One whose deep part has much to say."""
    torch.manual_seed(0)
    model = DeepFM(DeepFMConfig(fm=FMConfig(max_history=8, init_std=0.3)), item_fields(markov)).eval()
    last = model.rest[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.normal_(last.weight, std=3.0)
    return model


def lightgcn(markov: Dataset, init_std: float = 0.3) -> LightGCN:
    torch.manual_seed(0)
    return LightGCN(LightGCNConfig(width=8, init_std=init_std), train_graph(markov)).eval()


def found(model: DeepFM | LightGCN, markov: Dataset, candidates: int = CANDIDATES) -> ServingLoss:
    loss = serving_loss(model, markov, candidates)
    assert loss is not None
    return loss


def test_with_every_item_a_candidate_nothing_is_lost(markov: Dataset, deepfm: DeepFM) -> None:
    loss = found(deepfm, markov)  # 40 items
    assert loss.overlap == 1
    assert (
        loss.served
        == loss.trained
        == pytest.approx(ndcg(target_ranks(scorer_of(deepfm), markov.interactions, markov.split.test, "unmasked"), 10))
    )
    assert loss.users == len(markov.split.test)


def test_few_candidates_cost_what_they_cost(markov: Dataset, deepfm: DeepFM) -> None:
    rows = markov.split.test.row
    retrieval = TwoTowerScorer.of(deepfm)
    loss = found(deepfm, markov, candidates=12)
    served = TwoStageScorer(deepfm, retrieval, 12)
    assert loss.served == pytest.approx(
        ndcg(target_ranks(served, markov.interactions, markov.split.test, "unmasked"), 10)
    )
    by_dot, whole = (one.scores(markov.interactions, rows) for one in (retrieval, scorer_of(deepfm)))  # [E, N+1] each
    shares = []
    for line in range(len(rows)):
        proposed = set(np.argsort(-by_dot[line, 1:])[:12].tolist())
        own = np.argsort(-whole[line, 1:])[:10].tolist()
        again = sorted(proposed, key=lambda item: -whole[line, 1 + item])[:10]
        shares.append(len(set(own) & set(again)) / 10)
    assert loss.overlap == pytest.approx(float(np.mean(shares)), abs=1e-9)
    assert loss.overlap < 1


def test_more_candidates_never_have_less_of_the_own_first_items(markov: Dataset, deepfm: DeepFM) -> None:
    overlaps = [found(deepfm, markov, candidates=count).overlap for count in (10, 15, 20, 40)]
    assert overlaps == sorted(overlaps)


def test_a_live_history_is_the_node_where_nothing_was_learnt_of_the_person(markov: Dataset) -> None:
    """But for histories beyond max_history, of which there are none here, and repeats, which both count once."""
    model = lightgcn(markov)
    torch.nn.init.zeros_(model.users.weight)
    assert int(markov.split.train_end.max()) <= model.max_history
    loss = found(model, markov)
    assert loss.overlap > 0.999
    assert loss.served == pytest.approx(loss.trained, abs=1e-6)


def test_what_was_learnt_of_the_person_is_what_is_lost(markov: Dataset) -> None:
    loss = found(lightgcn(markov), markov)
    assert loss.overlap < 1


def test_nodes_know_the_train_part_and_are_compared_with_histories_that_are_it(markov: Dataset) -> None:
    model = lightgcn(markov)
    loss = found(model, markov)
    validation, interactions = markov.split.validation.row[::2], markov.interactions
    users = interactions.user[validation]
    assert bool((validation == interactions.offsets[users] + markov.split.train_end[users]).all())  # leave-one-out
    assert loss.users == validation.size
    nodes, items = model.propagated()
    wanted = (nodes[torch.from_numpy(users.astype(np.int64))] @ items.T).detach().numpy()  # [E, N+1]
    assert np.allclose(NodeScorer.of(model).scores(interactions, validation), wanted, atol=1e-6)


def test_a_student_that_is_served_as_it_is_loses_nothing(markov: Dataset, deepfm: DeepFM) -> None:
    assert serving_loss(deepfm.fm, markov) is None


def test_the_sentence_says_what_is_served(markov: Dataset, deepfm: DeepFM) -> None:
    said = str(found(deepfm, markov, candidates=12))
    assert said.startswith(
        "served as the first 12 items of retrieval re-ranked, in place of every pair scored, NDCG@10"
    )
