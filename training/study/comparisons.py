"""What is compared with what for one student, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.ranking import PROTOCOLS, Masking
from training.evaluation.repeat_offset import RepeatAware
from training.study.findings import Findings, RanksByProtocol, RunFinding
from training.study.significance import BootstrapConfig, Estimate, estimates, holm, user_values

Kind = Literal["student", "ensemble", "teacher", "floor"]
BASE = "A0"
SINGLES = ("A1", "A2", "A3", "A16")
"""One teacher alone."""
PLAIN_MEAN = "A4"
FULL = "A7"
CONTROLS = ("C1", "C2", "C3", "C4", "C5")
"""What a gain must be more than, to be a gain by what teachers know of the user."""
BROKEN = "C7"
"""One teacher of shuffled rows among the others."""
BROKEN_BUT_GATED = "C9"
"""The same behind the no-harm gate."""
BROKEN_MEAN = "C10"
"""One teacher of shuffled rows in the plain mean."""
VARIANTS = (
    ("A17", FULL),
    ("A18", FULL),
    ("A18", PLAIN_MEAN),
    ("A19", FULL),
    ("A19", PLAIN_MEAN),
    ("C11", BROKEN),
    ("C11", BROKEN_MEAN),
    (BROKEN_BUT_GATED, BROKEN),
    (BROKEN, BROKEN_MEAN),
    ("A15", FULL),
    ("A15", PLAIN_MEAN),
    ("A15", "C8"),
    (FULL, "C8"),
)
"""Rows against what they vary: what a gate and a prior bring, what weights are worth when one of the teachers is broken
and nobody has noticed, and what of a beginning with the teachers' item vectors is due to the teaching."""
TO_CLEAR = ("item-kNN", "last-item Markov")
"""Floors without which a student is worth nothing to a user."""
COMPARED = ("ndcg@10", "recall@10")
MAIN_METRIC = "ndcg@10"
_REFERENCE_MEANINGS = {
    "ensemble": "the teachers' own mixture: the ceiling",
    "teacher": "a teacher itself",
    "floor": "a floor",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of a student's table: a row of the study, or a reference."""

    name: str
    meaning: str
    kind: Kind
    seeds: tuple[RanksByProtocol, ...]
    repeat_aware: tuple[RepeatAware, ...] = ()
    """One a seed; empty: not measured."""
    cut_short: int | None = None
    """Of the seeds, those that their limit of epochs ended; None: nothing was trained here."""

    def values(self, protocol: Masking, metric: str) -> NDArray[np.float64]:
        """What each user adds to the metric, the mean over seeds: float64[E]."""
        return user_values([ranks[protocol] for ranks in self.seeds], metric)


class Difference(Estimate):
    """Mean of left - right over users."""

    left: str
    right: str
    metric: str
    protocol: Masking
    holm_p: float | None
    """Adjusted over all comparisons among rows of this student, metric and protocol; None: beside that family."""


Lineup = Mapping[str, Entry]
"""Name -> entry."""


def lineup(findings: Findings, student: str) -> dict[str, Entry]:
    """The rows of one student, then the references in the order ensemble, teachers, floors."""
    rows = {row: _of_runs(row, runs) for row, runs in findings.of(student).items()}

    def aware(name: str) -> tuple[RepeatAware, ...]:
        return (findings.repeat_aware[name],) if name in findings.repeat_aware else ()

    others = [
        Entry(name, _REFERENCE_MEANINGS[findings.kind(name)], _kind(findings, name), (ranks,), aware(name))
        for name, ranks in findings.references.items()
    ]
    order = ("ensemble", "teacher", "floor")
    return rows | {one.name: one for one in sorted(others, key=lambda one: order.index(one.kind))}


def _of_runs(row: str, runs: Sequence[RunFinding]) -> Entry:
    ranks = tuple(run.ranks for run in runs)
    return Entry(row, runs[0].meaning, "student", ranks, _repeat_aware(runs), sum(run.cut_short for run in runs))


def best_single(entries: Lineup, protocol: Masking) -> str | None:
    """The single-teacher row with the highest test NDCG@10: the hardest to beat, chosen with hindsight on purpose."""
    found = {name: float(entries[name].values(protocol, MAIN_METRIC).mean()) for name in SINGLES if name in entries}
    return max(found, key=lambda name: found[name]) if found else None


def compare(entries: Lineup, config: BootstrapConfig) -> tuple[Difference, ...]:
    """Every comparison that can be made from what is there; equal draws of users for them all."""
    wanted = [
        (left, right, metric, protocol)
        for protocol in PROTOCOLS
        for metric in COMPARED
        for left, right in _pairs(entries, protocol)
    ]
    if not wanted:
        return ()
    columns = [
        entries[left].values(protocol, metric) - entries[right].values(protocol, metric)
        for left, right, metric, protocol in wanted
    ]
    found = estimates(np.stack(columns, axis=1), config)  # K of them
    return _adjusted(
        [
            Difference(left=left, right=right, metric=metric, protocol=protocol, holm_p=None, **one.model_dump())
            for (left, right, metric, protocol), one in zip(wanted, found, strict=True)
        ],
        entries,
    )


def _repeat_aware(runs: Sequence[RunFinding]) -> tuple[RepeatAware, ...]:
    """Of all seeds, or of none."""
    found = tuple(run.repeat_aware for run in runs if run.repeat_aware is not None)
    return found if len(found) == len(runs) else ()


def _kind(findings: Findings, name: str) -> Kind:
    found = findings.kind(name)
    return "ensemble" if found == "ensemble" else "teacher" if found == "teacher" else "floor"


def _pairs(entries: Lineup, protocol: Masking) -> list[tuple[str, str]]:
    """(left, right), each once; what is not measured yet is left out."""
    single = best_single(entries, protocol)
    wanted: list[tuple[str, str | None]] = [(name, BASE) for name in entries if name != BASE]
    wanted += [
        (FULL, PLAIN_MEAN),
        (PLAIN_MEAN, single),
        (FULL, single),
        *((FULL, other) for other in (*CONTROLS, *TO_CLEAR)),
        *VARIANTS,
    ]
    return [(left, right) for left, right in wanted if left in entries and right is not None and right in entries]


def _adjusted(differences: Sequence[Difference], entries: Lineup) -> tuple[Difference, ...]:
    """Holm over each family; references are no claims of the study and stand beside it."""
    found = list(differences)
    for protocol in PROTOCOLS:
        for metric in COMPARED:
            family = [
                place
                for place, one in enumerate(found)
                if (one.protocol, one.metric) == (protocol, metric) and entries[one.left].kind == "student"
            ]
            for place, p in zip(family, holm([found[place].p for place in family]), strict=True):
                found[place] = found[place].model_copy(update={"holm_p": float(p)})
    return tuple(found)
