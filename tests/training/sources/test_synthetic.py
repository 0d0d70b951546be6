import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from training.errors import SourceUnavailable
from training.features.mean_colours import MeanColours
from training.sources.synthetic import SyntheticConfig, SyntheticSource


def source(cache: Path | None = None, **changes: float | str) -> SyntheticSource:
    config = SyntheticConfig.model_validate({"users": 400, "items": 60, "clusters": 6, **changes})
    return SyntheticSource(config, cache)


def steps(made: SyntheticSource) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The last items and the next ones of all steps."""
    table = made.read().interactions
    item = table["item_id"].str.strip_prefix("i").cast(int).to_numpy()
    user = table["user_id"].to_numpy()
    same = user[1:] == user[:-1]
    return item[:-1][same], item[1:][same]


def drawn_as(hits: NDArray[np.bool_], expected: float) -> bool:
    """Whether as many as expected, within four standard deviations."""
    return bool(abs(hits.mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / hits.size))


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


def test_the_defaults_draw_what_they_drew_before_there_were_clusters_to_follow() -> None:
    """Data sets on disk were made by this walk: new settings must leave it alone."""
    made, config = SyntheticSource(SyntheticConfig()), SyntheticConfig()
    rng = np.random.default_rng([0, 1])
    lengths = rng.integers(config.min_length, config.max_length, config.users, endpoint=True)
    walk = [rng.integers(0, config.items, config.users)]
    for _ in range(config.max_length - 1):
        follows = rng.random(config.users) < config.strength
        walk.append(np.where(follows, made.successor()[walk[-1]], rng.integers(0, config.items, config.users)))
    expected = [f"i{item}" for path, length in zip(np.stack(walk, 1), lengths, strict=True) for item in path[:length]]
    raw = made.read()
    assert raw.interactions["item_id"].to_list() == expected
    assert raw.images is None
    assert all(item.title and item.image is None for item in raw.items)


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("cold_share", [0.0, 0.3])
def test_the_next_cluster_follows_as_often_as_was_said(strength: float, cold_share: float) -> None:
    made = source(follows="cluster", strength=strength, cold_share=cold_share)
    last, following = steps(made)
    cluster = made.cluster()
    follows = cluster[following] == (cluster[last] + 1) % 6
    assert drawn_as(follows, strength + (1 - strength) / 6)  # clusters of equal weight


def test_inside_a_cluster_nothing_but_the_weight_counts() -> None:
    made = source(follows="cluster", strength=1.0, users=3000)
    last, following = steps(made)
    assert drawn_as(following == made.successor()[last], float(_leaves(made)[last].mean()) / 10)
    counts = np.bincount(following, minlength=60)
    assert counts.max() / counts.min() < 1.5


def _leaves(made: SyntheticSource) -> NDArray[np.bool_]:
    """[items] whether the ring's successor lies in the cluster that follows."""
    cluster = made.cluster()
    return np.equal(cluster[made.successor()], (cluster + 1) % 6)


def test_the_transition_is_what_is_drawn() -> None:
    for changes in ({"follows": "item"}, {"follows": "cluster", "cold_share": 0.3}, {"follows": "cluster"}):
        made = source(users=2000, strength=0.5, **changes)
        transition = made.transition()
        assert np.allclose(transition.sum(axis=1), 1)
        last, following = steps(made)
        expected = np.bincount(last, minlength=60) @ transition  # [items] how often each should have come next
        found = np.bincount(following, minlength=60)
        assert np.all(np.abs(found - expected) <= 5 * np.sqrt(expected) + 1)


def test_the_best_hit_rates_are_those_of_the_formulas() -> None:
    for strength in (0.0, 0.5, 1.0):
        one = source(strength=strength)
        assert np.allclose(one.best_hit_rate(1), strength + (1 - strength) / 60)
        several = source(strength=strength, follows="cluster")
        for cutoff in (1, 5, 10):
            assert np.allclose(several.best_hit_rate(cutoff), cutoff * (strength * 6 + 1 - strength) / 60)
        assert np.allclose(several.best_hit_rate(60), 1)


def test_knowing_the_clusters_reaches_the_best_and_not_more() -> None:
    made = source(users=2000, follows="cluster", strength=0.7)
    last, following = steps(made)
    known = np.argsort(-made.transition(), axis=1, kind="stable")[:, :10]  # [items, 10]
    hits = (known[last] == following[:, None]).any(axis=1)
    assert drawn_as(hits, float(made.best_hit_rate(10)[0]))


def test_cold_items_are_a_share_of_each_cluster_and_hardly_ever_met() -> None:
    made = source(users=2000, follows="cluster", cold_share=0.3)
    cold = made.cold()
    assert np.bincount(made.cluster()[cold]).tolist() == [3] * 6
    counts = np.bincount(steps(made)[1], minlength=60)
    assert 0 < counts[cold].mean() < 0.04 * counts[~cold].mean()
    assert source(follows="cluster", cold_share=0.99, items=12).cold().sum() == 6  # one of each cluster stays warm


def test_noisy_words_are_the_same_words_on_other_items() -> None:
    told, noisy = (source(words=words).read().items for words in ("cluster", "noise"))
    kinds = [[item.categories[0] for item in items] for items in (told, noisy)]
    assert sorted(kinds[0]) == sorted(kinds[1])
    assert sum(a == b for a, b in zip(*kinds, strict=True)) < 30  # a sixth by chance
    assert len({item.title for item in noisy}) == 60


@pytest.mark.parametrize("pictures", ["cluster", "noise"])
def test_pictures_show_the_cluster_or_nothing(tmp_path: Path, pictures: str) -> None:
    made = source(tmp_path, pictures=pictures)
    raw = made.read()
    assert raw.images is not None
    files = [raw.images / str(item.image) for item in raw.items]
    vectors = MeanColours().encode([Image.open(path) for path in files])  # [60, F]
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) + 9 * np.eye(60)  # [60, 60]
    same = made.cluster() == made.cluster()[apart.argmin(axis=1)]
    assert same.all() if pictures == "cluster" else same.mean() < 0.5
    assert len({path.read_bytes() for path in files}) == 60


def test_a_cluster_looks_the_same_in_every_data_set(tmp_path: Path) -> None:
    """As its words are the same: what is learnt of one data set holds in another."""
    seen = []
    for seed in (1, 2):
        made = source(tmp_path, pictures="cluster", seed=seed)
        raw = made.read()
        first = raw.items[int(np.flatnonzero(made.cluster() == 3)[0])]
        seen.append(np.asarray(Image.open((raw.images or tmp_path) / str(first.image)), dtype=np.float64))
    assert np.abs(seen[0] - seen[1]).max() <= 24


def test_words_and_pictures_go_missing_each_by_itself(tmp_path: Path) -> None:
    raw = source(tmp_path, items=600, pictures="cluster", missing=0.3).read()
    worded = np.array([bool(item.encoder_text()) for item in raw.items])
    pictured = np.array([item.image is not None for item in raw.items])
    assert drawn_as(worded, 0.7)
    assert drawn_as(pictured, 0.7)
    assert drawn_as(worded & pictured, 0.49)
    assert raw.images is not None
    assert len(list(raw.images.rglob("*"))) == pictured.sum() + 1  # and their folder


def test_what_is_said_of_items_does_not_change_what_people_do(tmp_path: Path) -> None:
    plain = source(follows="cluster").read().interactions
    silent = source(tmp_path, follows="cluster", words="noise", pictures="noise", missing=0.5).read().interactions
    assert plain.equals(silent)


def test_pictures_need_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="pictures need a cache"):
        source(pictures="cluster").read()
    first, again = (source(tmp_path / name, pictures="noise").read() for name in "ab")
    assert first.items == again.items
    for item in first.items:
        one, two = ((raw.images or tmp_path) / str(item.image) for raw in (first, again))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cold_share": 0.1}, "cold_share: only where follows is `cluster`"),
        ({"follows": "cluster", "clusters": 61}, "clusters 61, and only 60 items"),
        ({"missing": 1.1}, "missing"),
        ({"words": "picture"}, "words"),
    ],
)
def test_shapes_that_cannot_be_drawn_are_refused(changes: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        source(None, **changes)
