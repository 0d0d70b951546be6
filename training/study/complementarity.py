"""Whether teachers know different things: what they find together against what the best of them finds alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.config import Config
from training.evaluation.metrics import hits
from training.evaluation.ranking import PROTOCOLS, Masking
from training.study.findings import ENSEMBLE, Findings


class Complementarity(Config):
    """Shares of test users whose target is among the first 10."""

    protocol: Masking
    teachers: dict[str, float]
    best: str
    """The teacher that finds most."""
    union: float
    """At least one teacher finds it."""
    found_by: tuple[float, ...]
    """Place k: exactly k teachers find it; they add up to 1."""
    ensemble: float | None
    """The mixture of the teachers; None: not measured."""


def complementarity(findings: Findings) -> tuple[Complementarity, ...]:
    """One a protocol; none where no teacher was measured."""
    if not any(name in findings.references for name in findings.teachers):
        return ()
    return tuple(_of(findings, protocol) for protocol in PROTOCOLS)


def _of(findings: Findings, protocol: Masking) -> Complementarity:
    found: Mapping[str, NDArray[np.float64]] = {
        name: hits(findings.references[name][protocol], 10) for name in findings.teachers if name in findings.references
    }
    count = np.sum(list(found.values()), axis=0).astype(np.int64)  # [E]
    share = {name: float(one.mean()) for name, one in found.items()}
    ensemble = findings.references.get(ENSEMBLE)
    return Complementarity(
        protocol=protocol,
        teachers=share,
        best=max(share, key=lambda name: share[name]),
        union=float((count > 0).mean()),
        found_by=tuple(float(one) for one in np.bincount(count, minlength=len(found) + 1) / count.size),
        ensemble=None if ensemble is None else float(hits(ensemble[protocol], 10).mean()),
    )
