import numpy as np
import pytest

from training.dataset import Dataset
from training.students.user_graph import UserGraph, train_graph


def graph(user: list[int], item: list[int]) -> UserGraph:
    return UserGraph(3, 4, np.array(user, dtype=np.int64), np.array(item, dtype=np.int64))


def test_edges_are_the_train_part_and_no_answer_is_told(markov: Dataset) -> None:
    found = train_graph(markov)
    interactions = markov.interactions
    wanted = set()
    for user, end in enumerate(markov.split.train_end.tolist()):
        first = interactions.offsets[user]
        wanted |= {(user, item) for item in interactions.item[first : first + end].tolist()}
    assert list(zip(found.user.tolist(), found.item.tolist(), strict=True)) == sorted(wanted)
    assert (found.users, found.items) == (len(interactions.user_ids), len(markov.catalog))


def test_a_pair_met_twice_is_one_edge(markov: Dataset) -> None:
    found = train_graph(markov)
    assert found.user.size < markov.counts.train


def test_the_weight_is_one_over_the_root_of_both_degrees() -> None:
    found = graph([0, 0, 2], [1, 4, 4])
    assert found.user_degree.tolist() == [2, 0, 1]
    assert found.item_degree.tolist() == [0, 1, 0, 0, 2]
    assert np.allclose(found.weight, [2**-0.5, 0.5, 2**-0.5])


def test_a_graph_may_have_no_edge() -> None:
    assert graph([], []).weight.size == 0


@pytest.mark.parametrize(
    ("user", "item", "message"),
    [
        ([3], [1], "user: edges end at one of 0..2"),
        ([0], [0], "item: edges end at one of 1..4"),
        ([0, 1], [1], "user .*, item .*: an edge has two ends"),
        ([1, 0], [1, 1], "sorted by"),
        ([0, 0], [2, 2], "without repeats"),
    ],
)
def test_what_is_no_graph_is_refused(user: list[int], item: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graph(user, item)
