"""The candidates of a student whose score is of pairs: each row's answer and some others, drawn by what is likely.

Others that are drawn uniformly teach little: among 64 of thousands of items hardly one is a rival of the answer. Others
that are likely teach wrong things, unless it is known how likely they were to be drawn: a score learnt from them alone
is ln p(c) less the logarithm of that, and ranks what is never drawn above all else. So they are drawn from a mixture,
half of it uniform and half what the student's retrieval and its teachers hold likely, and every candidate carries how
often it was to be expected. Sums over the drawn are thereby estimates of sums over the catalogue (Horvitz and Thompson,
1952): for any f,

    E[ sum over the drawn c of f(c) / expected(c) ] = sum over all c but the answer of f(c).

The draw is systematic (Madow, 1949): points of equal distance, the first of them at random, on the running sum of what
is expected. What is expected at most once is drawn at most once, so that hardly a pair is scored for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.distillation.soft_targets import Targets

OTHERS = 64
"""How many candidates a row has beside its answer."""
_UNIFORM = 0.5
"""Share of the mixture: no weight 1 / expected is above N / (OTHERS / 2)."""
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class DrawnCandidates:
    """C candidates for each of R rows."""

    item: Tensor
    """int64[R, C] catalogue indices: the row's answer first, and not again among the others"""
    expected: Tensor
    """float[R, C] how often each was to be drawn; 1 for the answer, which is always there"""
    p: Tensor | None
    """float[R, C] what the teachers say, 0 where they do not name the item; None: there are no teachers"""


@torch.no_grad()
def draw_candidates(logits: Tensor, target: Tensor, targets: Targets | None, others: int = OTHERS) -> DrawnCandidates:
    """Draw for R rows.

    Args:
        logits: of the student's retrieval, float[R, N]; column c is the item c + 1.
        target: int64[R] catalogue indices of the answers.
        targets: what the teachers say of the rows; None: there are none.
        others: how many to draw; a catalogue of no more items is taken whole.
    """
    said = None if targets is None else _spread(targets, logits)  # [R, N]
    likely = logits.softmax(dim=1)  # [R, N]
    if said is not None:
        likely = (likely + said) / 2  # [R, N]
    weight = _UNIFORM / logits.shape[1] + (1 - _UNIFORM) * likely  # [R, N]
    answer = target[:, None] - 1  # [R, 1]
    count = min(others, logits.shape[1] - 1)
    expected = _expected(weight.scatter(1, answer, 0.0), count)  # [R, N]
    column = torch.cat([answer, _systematic(expected, count)], dim=1)  # [R, C]
    return DrawnCandidates(
        column + 1,
        expected.scatter(1, answer, 1.0).gather(1, column),
        None if said is None else said.gather(1, column),
    )


def _spread(targets: Targets, like: Tensor) -> Tensor:
    """p̄ of what is named, in the places of all items: float[R, N]; 0 in rows that no teacher scored."""
    p = targets.log_p.exp() * targets.known[:, None]  # [R, K]
    return torch.zeros_like(like).scatter(1, targets.item - 1, p)  # [R, N]


def _expected(weight: Tensor, count: int) -> Tensor:
    """How often each item is expected among `count`: in proportion to float[R, N], at most about once; sums to count.

    What goes beyond once is spread over the others, twice. A little may be left: then it is drawn again, and both
    drawings count.
    """
    if count == weight.shape[1] - 1:
        return weight.sign()  # [R, N]: all but the answer
    expected = weight * (count / weight.sum(dim=1, keepdim=True))  # [R, N]
    for _ in range(_ROUNDS):
        full = expected >= 1  # [R, N]
        left = count - full.sum(dim=1, keepdim=True)  # [R, 1]
        open_sum = expected.masked_fill(full, 0.0).sum(dim=1, keepdim=True)  # [R, 1]
        expected = torch.where(full, 1.0, expected * (left / open_sum.clamp(min=1e-12)))  # [R, N]
    return expected * (count / expected.sum(dim=1, keepdim=True))  # [R, N]


def _systematic(expected: Tensor, count: int) -> Tensor:
    """Columns int64[R, count] drawn so that column c is met expected[c] times on average, rounded down or up."""
    running = expected.cumsum(dim=1)  # [R, N]
    last = running[:, -1:]  # [R, 1]
    start = torch.rand(len(expected), 1, device=expected.device)  # [R, 1]
    place = (torch.arange(count, device=expected.device) + start) * (last / count)  # [R, count]
    below = torch.nextafter(last, torch.zeros_like(last))  # [R, 1]: rounding must not go past the last item
    return torch.searchsorted(running, torch.minimum(place, below), right=True)  # [R, count]
