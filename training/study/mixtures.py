"""What teachers know together, before any student is taught: which of them to hear, and whether weights are worth it.

A mixture is a ceiling for whoever learns from it, and is measured in a minute where a student takes many. It is looked
at on the half of validation that selects; strengths of weights are chosen on the other half.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from training.config import Config
from training.dataset import Dataset
from training.distillation.cast import HeardTeachers, heard
from training.distillation.rows import Teaching, study_row
from training.distillation.user_weighing import UserConfidence, WeighedMixture, best_mixture
from training.evaluation.metrics import ndcg
from training.evaluation.ranking import PROTOCOLS, Masking, Scorer, ranks_by_protocol
from training.evaluation.selection import evenly, selection_half
from training.knowledge import TeacherKnowledge
from training.study.references import MemoryScorer, names


class Mixture(Config):
    """One mixture of teachers."""

    heard: tuple[str, ...]
    """The teachers in it; `shuffled` behind a name: its users are those of other rows."""
    strength: dict[Masking, float] | None = None
    """Of the weights, chosen under each protocol for itself; None: the plain mean."""
    ndcg: dict[Masking, float]
    """NDCG@10."""


def mixtures(dataset: Dataset, knowledge: TeacherKnowledge, users: int = 4096) -> Iterator[Mixture]:
    """Every teacher alone, every set of several, all of them weighed, and the same with the first one shuffled.

    Args:
        dataset: whose validation users.
        knowledge: the cache.
        users: at most so many, evenly taken.
    """
    known = dict(zip(names(knowledge), knowledge.teachers, strict=True))
    for size in range(1, len(known) + 1):
        for some in combinations(known, size):
            yield Mixture(heard=some, ndcg=_ndcg(dataset, MemoryScorer([known[one] for one in some]), users))
    if len(known) < 2:
        return
    yield from _weighed(dataset, (tuple(known), heard(_teaching("A19"), knowledge, dataset)), users)
    first, *others = known
    broken = (f"{first} shuffled", *others)
    teachers = heard(_teaching("C11"), knowledge, dataset)
    yield Mixture(heard=broken, ndcg=_ndcg(dataset, MemoryScorer(teachers.memories), users))
    yield from _weighed(dataset, (broken, teachers), users)


def _weighed(dataset: Dataset, who: tuple[tuple[str, ...], HeardTeachers], users: int) -> Iterator[Mixture]:
    """By each teacher's confidence in the user, under each protocol at the strength that is best for it."""
    named, teachers = who
    powers = _teaching("A19").powers
    full = WeighedMixture(teachers, UserConfidence.of(dataset, teachers), powers)
    chosen = {protocol: best_mixture(dataset, full, protocol) for protocol in PROTOCOLS}
    found = {protocol: _ndcg(dataset, one, users)[protocol] for protocol, one in chosen.items()}
    strength = {protocol: one.powers[0] / powers[0] for protocol, one in chosen.items()}
    yield Mixture(heard=named, strength=strength, ndcg=found)


def _teaching(row: str) -> Teaching:
    teaching = study_row(row).teaching
    if teaching is None:
        raise ValueError(f"row {row} has no teachers")
    return teaching


def _ndcg(dataset: Dataset, scorer: Scorer, users: int) -> dict[Masking, float]:
    rows = evenly(selection_half(dataset.split.validation), users)
    return {protocol: ndcg(one, 10) for protocol, one in ranks_by_protocol(scorer, dataset.interactions, rows).items()}
