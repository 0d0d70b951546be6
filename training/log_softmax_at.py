"""ln softmax over the whole catalogue, read at a few places of each row: what a step asks of a student.

The next item's loss reads one place and soft targets read K. Gathered from a whole log-softmax [R, N], each would cost
gradients of that size, filled with zeros and added up. Here the gradient is written once: with g the gradient at the
places read, that of the logits is  scatter(g) - softmax * sum(g).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_ROWS = 256
"""So many rows of logits at a time stay in the processor's cache from one pass over them to the next."""
_LINE = 16
"""Numbers in a cache line: rows of logits that begin inside one are written at a quarter of the speed (AMX)."""


def log_softmax_at(users: Tensor, items: Tensor, places: Tensor) -> Tensor:
    """ln softmax(users items^T) at some columns; equal to the gathered whole, in values and gradients.

    Args:
        users: float[R, D].
        items: float[N, D].
        places: int64[R, K] columns, 0 to N-1; one may stand more than once.

    Returns:
        float[R, K]. It can be differentiated once.
    """
    found: Tensor = _LogSoftmaxAt.apply(users, items, places)  # type: ignore[no-untyped-call]  # [R, K]
    return found


class _LogSoftmaxAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, places: Tensor) -> Tensor:  # noqa: ANN401
        """float[R, K]."""
        lined = nn.functional.pad(items, (0, 0, 0, -len(items) % _LINE))  # [N', D]
        whole = users @ lined.T  # [R, N']
        logits = whole[:, : len(items)]  # [R, N]
        total = torch.cat([part.logsumexp(dim=1, keepdim=True) for part in torch.split(logits, _ROWS)])  # [R, 1]
        ctx.save_for_backward(users, lined, places, total)
        ctx.whole, ctx.count = whole, len(items)
        return logits.gather(1, places) - total  # [R, K]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        """float[R, K] -> float[R, D], float[N, D]. The logits' memory becomes their gradient's."""
        users, lined, places, total = ctx.saved_tensors
        whole, ctx.whole = ctx.whole, None
        if whole is None:
            raise RuntimeError("log_softmax_at goes backward once: its logits are overwritten by their gradient")
        logits = whole[:, : ctx.count]  # [R, N]
        share = -gradient.sum(dim=1, keepdim=True)  # [R, 1]
        for part, one, weight in zip(*(torch.split(one, _ROWS) for one in (logits, total, share)), strict=True):
            part.sub_(one).exp_().mul_(weight)  # [<= ROWS, N]
        logits.scatter_add_(1, places, gradient)  # [R, N]; behind them the products with no item, 0, still stand
        return whole @ lined, (whole.T @ users)[: ctx.count], None  # [R, D], [N, D]
