"""One number on what a user has seen: added to the scores of the history's items, fitted where nothing is selected.

A model of vectors holds what is like the history likely, and the history itself is most like it, whether people come
back to things or not. Ranked unmasked, as published tables are, these items stand in the way of the answer. Masked they
are gone, and in earnest every honest repetition with them (the masked protocol spares a target that was met before,
which a service cannot). Between both lies one number, read off held-out users: below 0 where people want something new,
above where they come back to the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.evaluation.metrics import Ranks, ndcg, rank_of_target
from training.evaluation.ranking import Scorer, score_chunks
from training.evaluation.selection import calibration_half, evenly
from training.interactions import Interactions
from training.splits import EvaluationRows

_USERS = 1000
"""So many tell one number."""
_TRIED = 25
_CUT_AT = 10


@dataclass(frozen=True, eq=False)
class RepeatAware:
    """How test users' targets rank with the offset."""

    ranks: Ranks
    """float64[E]"""
    offset: float


def repeat_aware(scorer: Scorer, dataset: Dataset) -> RepeatAware:
    """Fit the offset, and rank the test users' targets with it."""
    offset = fit_repeat_offset(scorer, dataset)
    return RepeatAware(repeat_aware_ranks(scorer, dataset.interactions, dataset.split.test, offset), offset)


def fit_repeat_offset(scorer: Scorer, dataset: Dataset) -> float:
    """The offset of the best NDCG@10 on the calibration half of validation; of equal ones the smallest change.

    Tried are 0 and quantiles of how far the best item of a history stands above or below the answer: between two of
    them nothing changes for many users. Where the scorer gives nobody's answer a score, 0 alone is tried.

    All is scored twice, so that the scores of some users at a time are in memory and not those of all: of a million
    items these would be 4 GB.

    Raises:
        SplitImpossible: fewer than two validation users.
    """
    rows, interactions = evenly(calibration_half(dataset.split.validation), _USERS), dataset.interactions
    gaps = np.concatenate([_gaps(*scored, interactions) for scored in score_chunks(scorer, interactions, rows)])  # [E]
    gaps = gaps[np.isfinite(gaps)]
    tried = np.unique(np.quantile(gaps, np.linspace(0, 1, _TRIED))) if gaps.size else np.zeros(0)
    offsets = sorted({0.0, *tried.tolist()}, key=abs)  # T of them
    found = [
        [_ranks(scores, interactions, chunk, offset) for offset in offsets]
        for scores, chunk in score_chunks(scorer, interactions, rows)
    ]
    values = [ndcg(ranks, _CUT_AT) for ranks in np.concatenate(found, axis=1)]  # T of [E]
    best: float = offsets[int(np.argmax(values))]  # the first of equal ones
    return best


def repeat_aware_ranks(scorer: Scorer, interactions: Interactions, rows: EvaluationRows, offset: float) -> Ranks:
    """The rank of every target with the offset on what each user did before, float64[E]."""
    parts = [_ranks(scores, interactions, chunk, offset) for scores, chunk in score_chunks(scorer, interactions, rows)]
    return np.concatenate(parts)


def _ranks(scores: NDArray[np.float32], interactions: Interactions, rows: NDArray[np.int64], offset: float) -> Ranks:
    moved = scores.copy()  # [E, N+1]
    for line, row in enumerate(rows):
        moved[line, _seen(interactions, row)] += np.float32(offset)
    return rank_of_target(moved, interactions.item[rows].astype(np.int64))


def _gaps(scores: NDArray[np.float32], rows: NDArray[np.int64], interactions: Interactions) -> NDArray[np.float64]:
    """The answer's score less the best one of the history, float64[E]."""
    own = scores[np.arange(rows.size), interactions.item[rows]]  # [E]
    best = np.array([scores[line, _seen(interactions, row)].max(initial=-np.inf) for line, row in enumerate(rows)])
    gaps: NDArray[np.float64] = (own - best).astype(np.float64)
    return gaps


def _seen(interactions: Interactions, row: np.int64) -> NDArray[np.int64]:
    """Each item once that the row's user met before it: an item met twice is moved once."""
    first = interactions.offsets[interactions.user[row]]
    return np.unique(interactions.item[first:row]).astype(np.int64)
