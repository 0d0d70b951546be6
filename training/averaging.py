"""The moving average of a model's weights: it is validated and kept, while the steps go on from the weights themselves.

With steps of a constant length the weights never come to rest; their average does (Polyak and Juditsky 1992; Izmailov
et al. 2018, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class AveragedWeights:
    """The exponential moving average of a model's parameters over steps.

    Parameters alone are held, not a copy of the model as in torch's `AveragedModel`: a student's sparse graph cannot be
    copied, a teacher's texts need not be, and buffers may change their shape while a training lasts.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """`decay`: the share of the past in every step; .99 is an average over about the last 100 steps."""
        self._model = model
        self._update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._averaged: dict[str, Tensor] = {}

    def add(self) -> None:
        """After a step; the first one's weights are where the average begins."""
        if self._averaged:
            own = [one.detach() for one in self._model.parameters()]
            self._update(list(self._averaged.values()), own, None)
        else:
            self._averaged = self._own()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the `with` lasts, the model has the averaged weights, and buffers as they are."""
        own = self._own()
        self._put(self._averaged)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, Tensor]:
        """To go on with."""
        return self._averaged

    def resume(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._averaged = state

    def _own(self) -> dict[str, Tensor]:
        return {name: one.detach().clone() for name, one in self._model.named_parameters()}

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, one in self._model.named_parameters():
            one.copy_(weights[name])
