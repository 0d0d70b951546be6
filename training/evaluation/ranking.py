"""Full ranking: every item of the catalogue is a candidate for every user, the user's own history masked or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from service.bundle import PAD
from training.errors import SplitImpossible
from training.evaluation.metrics import Ranks, rank_of_target
from training.interactions import Interactions
from training.sequences import sequences_at
from training.splits import EvaluationRows
from training.two_tower import TwoTower

Masking = Literal["unmasked", "masked"]
PROTOCOLS: tuple[Masking, ...] = ("unmasked", "masked")
"""unmasked: as the published tables; masked: what a user has seen is no candidate, as the service answers."""
_CHUNK = 512
_ALIKE = 64
"""So many histories of like length are read at a time."""


class Scorer(Protocol):
    """Anything that can be evaluated."""

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1] for the targets at these flat rows, from what each user did before; PAD's is ignored."""


@dataclass(frozen=True)
class TwoTowerScorer:
    """A trained teacher or student as a scorer. All that does not depend on a user is made once, when the scorer is."""

    encode: Callable[[torch.Tensor], torch.Tensor]
    """int64[E, L] -> float[E, D]"""
    max_history: int
    """L"""
    items: torch.Tensor
    """float[N+1, D]"""

    @classmethod
    def of(cls, model: TwoTower) -> TwoTowerScorer:
        """Take a model in evaluation mode, whose weights stand still from here on."""
        with torch.no_grad():
            return cls(model.prepared(), model.max_history, model.item_matrix())

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score as the service does: encode the window, dot with every item."""
        history = cut_histories(interactions, rows, self.max_history)  # [E, L]
        with torch.no_grad():
            users = self._users(history)  # [E, D]
            scores = users @ self.items.T  # [E, N+1]
        return scores.cpu().numpy()

    def _users(self, history: torch.Tensor) -> torch.Tensor:
        """int64[E, L] -> float[E, D]. Those of like length at a time: padding costs as much as items do."""
        if self.items.device.type != "cpu":  # there, one large pass costs less than several small ones
            return self.encode(history.to(self.items.device))  # [E, D]
        order = (history != PAD).sum(dim=1).argsort()  # [E]
        parts = [self.encode(_cut(history[some])) for some in torch.split(order, _ALIKE)]  # each [<= ALIKE, D]
        return torch.cat(parts)[order.argsort()]  # [E, D]


def cut_histories(interactions: Interactions, rows: NDArray[np.int64], length: int) -> torch.Tensor:
    """What came before each flat row, at most the newest `length`, cut on the left to the longest: int64[E, L]."""
    return _cut(torch.tensor(sequences_at(interactions, rows, length).history))  # [E, <= L]


def _cut(history: torch.Tensor) -> torch.Tensor:
    longest = max(int((history != PAD).sum(dim=1).max()), 1)
    return history[:, -longest:]  # [E, <= L]


def target_ranks(scorer: Scorer, interactions: Interactions, rows: EvaluationRows, protocol: Masking) -> Ranks:
    """The rank of every target, float64[E], in the order of the rows."""
    return np.concatenate([pair[protocol] for pair in _ranks(scorer, interactions, rows, (protocol,))])


def ranks_by_protocol(scorer: Scorer, interactions: Interactions, rows: EvaluationRows) -> dict[Masking, Ranks]:
    """Both protocols from one pass over the scores."""
    chunks = list(_ranks(scorer, interactions, rows, PROTOCOLS))
    return {protocol: np.concatenate([chunk[protocol] for chunk in chunks]) for protocol in PROTOCOLS}


def score_chunks(
    scorer: Scorer, interactions: Interactions, rows: EvaluationRows
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """The scores of some rows at a time, float32[E, N+1] with -inf for PAD, and their flat rows int64[E].

    Raises:
        SplitImpossible: there is no row.
    """
    if not len(rows):
        raise SplitImpossible("nobody to evaluate on: this part of the split has no user")
    for start in range(0, len(rows), _CHUNK):
        chunk = rows.row[start : start + _CHUNK]  # [E]
        scores = scorer.scores(interactions, chunk)  # [E, N+1]
        scores[:, PAD] = -np.inf
        yield scores, chunk


def _ranks(
    scorer: Scorer, interactions: Interactions, rows: EvaluationRows, protocols: tuple[Masking, ...]
) -> Iterator[dict[Masking, Ranks]]:
    for scores, chunk in score_chunks(scorer, interactions, rows):
        target = interactions.item[chunk].astype(np.int64)  # [E]
        found = {"unmasked": rank_of_target(scores, target)} if "unmasked" in protocols else {}
        if "masked" in protocols:
            _mask_history(scores, interactions, chunk)
            found["masked"] = rank_of_target(scores, target)
        yield found  # type: ignore[misc]


def _mask_history(scores: NDArray[np.float32], interactions: Interactions, rows: NDArray[np.int64]) -> None:
    """Take all that each user did before the row out of the candidates; a target met before stays in."""
    for line, row in enumerate(rows):
        first = interactions.offsets[interactions.user[row]]
        own = scores[line, interactions.item[row]]
        scores[line, interactions.item[first:row]] = -np.inf
        scores[line, interactions.item[row]] = own
