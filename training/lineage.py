"""What a prepared data set is called in the records of models made from it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from training.artefacts import Lineage
from training.dataset import Dataset


def lineage_of(dataset: Dataset) -> Lineage:
    """The fingerprints of one data set."""
    return Lineage(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        split=dataset.split.name,
        split_fingerprint=dataset.split.fingerprint,
        catalog_fingerprint=dataset.catalog.fingerprint,
    )


def merged_lineage(datasets: Sequence[Dataset]) -> Lineage:
    """One data set's, or several joined: each fingerprint is then a hash over theirs."""
    parts = [lineage_of(one) for one in datasets]
    if len(parts) == 1:
        return parts[0]

    def joined(field: str) -> str:
        return sha256(" ".join(getattr(one, field) for one in parts).encode()).hexdigest()

    return Lineage(
        name="+".join(one.name for one in parts),
        fingerprint=joined("fingerprint"),
        split="+".join(sorted({one.split for one in parts})),
        split_fingerprint=joined("split_fingerprint"),
        catalog_fingerprint=joined("catalog_fingerprint"),
    )
