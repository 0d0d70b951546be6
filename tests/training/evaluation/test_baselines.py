import math
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import PackedStrings
from training.dataset import Dataset
from training.evaluation.baselines import ItemKNN, LastItemMarkov, Popularity, floors
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import target_ranks
from training.interactions import Interactions
from training.splits import leave_one_out

ITEMS = 6
USERS = st.lists(st.lists(st.integers(1, ITEMS), min_size=3, max_size=8), min_size=1, max_size=6)


def interactions_of(users: list[list[int]]) -> Interactions:
    user = np.repeat(np.arange(len(users)), [len(one) for one in users])
    ids = PackedStrings.pack(str(k) for k in range(len(users)))
    return Interactions.sort(ids, user, np.concatenate([*users]), np.arange(user.size))


def train_of(users: list[list[int]]) -> list[list[int]]:
    """Without each user's validation and test item."""
    return [one[:-2] for one in users]


@given(USERS)
def test_popularity_counts_train_interactions(users: list[list[int]]) -> None:
    interactions = interactions_of(users)
    split = leave_one_out(interactions)
    scores = Popularity.fit(interactions, split, ITEMS).scores(interactions, split.test.row)
    wanted = [sum(one.count(item) for one in train_of(users)) for item in range(ITEMS + 1)]
    assert scores.tolist() == [wanted] * len(users)


@given(USERS)
def test_item_knn_sums_cosines_of_user_sets_over_the_history(users: list[list[int]]) -> None:
    interactions = interactions_of(users)
    split = leave_one_out(interactions)
    scores = ItemKNN.fit(interactions, split, ITEMS).scores(interactions, split.test.row)
    met = [{k for k, one in enumerate(train_of(users)) if item in one} for item in range(ITEMS + 1)]

    def cosine(a: int, b: int) -> float:
        return len(met[a] & met[b]) / math.sqrt(len(met[a]) * len(met[b])) if met[a] & met[b] and a != b else 0.0

    for line, items in zip(scores, users, strict=True):
        history = set(items[:-1])  # all that came before the test item, each once
        wanted = [sum(cosine(one, item) for one in history) for item in range(ITEMS + 1)]
        assert np.allclose(line, wanted, atol=1e-6)


@given(USERS)
def test_markov_counts_who_followed_the_last_item_and_popularity_breaks_ties(users: list[list[int]]) -> None:
    interactions = interactions_of(users)
    split = leave_one_out(interactions)
    scores = LastItemMarkov.fit(interactions, split, ITEMS).scores(interactions, split.test.row)
    train = train_of(users)
    pairs = [pair for one in train for pair in pairwise(one)]
    for line, items in zip(scores, users, strict=True):
        order = [(pairs.count((items[-2], item)), sum(one.count(item) for one in train)) for item in range(ITEMS + 1)]
        for a in range(1, ITEMS + 1):
            for b in range(1, ITEMS + 1):
                assert (line[a] > line[b]) == (order[a] > order[b])


def test_floors_are_as_high_as_the_structure_of_the_data_allows(markov: Dataset, noise: Dataset) -> None:
    found = {}
    for name, dataset in (("markov", markov), ("noise", noise)):
        made = floors(dataset.interactions, dataset.split, len(dataset.catalog))
        for floor, scorer in made.items():
            found[name, floor] = ndcg(target_ranks(scorer, dataset.interactions, dataset.split.test, "unmasked"), 10)
    assert found["markov", "last-item Markov"] > 0.7  # the next item is the successor with probability .8
    assert found["markov", "last-item Markov"] > 3 * found["markov", "popularity"]
    by_chance = sum(1 / math.log2(1 + rank) for rank in range(1, 11)) / 40
    assert found["noise", "popularity"] < 2 * by_chance
    assert found["noise", "last-item Markov"] < 2 * by_chance
