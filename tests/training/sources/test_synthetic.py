import math

import numpy as np
import pytest
from pydantic import ValidationError

from training.sources.synthetic import SyntheticConfig, SyntheticSource


def source(**changes: float) -> SyntheticSource:
    return SyntheticSource(SyntheticConfig.model_validate({"users": 400, "items": 60, "clusters": 6, **changes}))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_successor_follows_as_often_as_was_said(strength: float) -> None:
    made = source(strength=strength)
    table = made.read().interactions
    item = table["item_id"].str.strip_prefix("i").cast(int).to_numpy()
    user = table["user_id"].to_numpy()
    same = user[1:] == user[:-1]
    follows = (made.successor()[item[:-1]] == item[1:])[same]
    expected = strength + (1 - strength) / 60
    deviation = math.sqrt(expected * (1 - expected) / follows.size)
    assert abs(follows.mean() - expected) <= 4 * deviation


def test_the_chain_is_one_ring_through_all_items() -> None:
    successor = source().successor()
    at, seen = 0, []
    for _ in range(60):
        seen.append(at)
        at = int(successor[at])
    assert (sorted(seen), at) == (list(range(60)), 0)


def test_a_cluster_is_a_stretch_of_the_ring() -> None:
    made = source()
    cluster = made.cluster()
    assert np.bincount(cluster).tolist() == [10] * 6
    assert int((cluster != cluster[made.successor()]).sum()) == 6  # the ring leaves each cluster once


def test_items_of_a_cluster_share_words_that_no_other_cluster_has() -> None:
    made = source()
    items = made.read().items
    kinds = [item.categories[0] for item in items]
    assert len(set(zip(kinds, made.cluster().tolist(), strict=True))) == len(set(kinds)) == 6
    assert len({item.title for item in items}) == 60
    assert all(item.categories[0] in item.title and item.brand in item.title for item in items)


def test_lengths_and_times_are_as_configured() -> None:
    table = source(min_length=3, max_length=7).read().interactions
    lengths = table.group_by("user_id").len()["len"]
    assert (lengths.min(), lengths.max(), len(lengths)) == (3, 7, 400)
    times = table.group_by("user_id", maintain_order=True).agg("timestamp")["timestamp"].to_list()
    assert all(mine == sorted(set(mine)) for mine in times)


def test_equal_seeds_give_equal_data() -> None:
    first, again, other = (source(seed=seed).read().interactions for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_lengths_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="min_length 9 is greater than max_length 3"):
        SyntheticConfig(min_length=9, max_length=3)
