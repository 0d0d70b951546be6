from training.dataset import Dataset
from training.lineage import lineage_of, merged_lineage


def test_the_lineage_of_one_data_set_is_its_fingerprints(markov: Dataset) -> None:
    found = lineage_of(markov)
    assert (found.fingerprint, found.split_fingerprint) == (markov.fingerprint, markov.split.fingerprint)
    assert found.catalog_fingerprint == markov.catalog.fingerprint
    assert merged_lineage([markov]) == found


def test_several_have_one_lineage_of_their_own(markov: Dataset, noise: Dataset) -> None:
    both, turned = merged_lineage([markov, noise]), merged_lineage([noise, markov])
    assert both == merged_lineage([markov, noise])
    for one in (lineage_of(markov), lineage_of(noise), turned):  # the order decides the item indices
        assert both.fingerprint != one.fingerprint
    assert both.name == f"{markov.name}+{noise.name}"
    assert both.split == "leave-one-out"
