"""The moving average of a model's weights: it is validated and kept, while the steps go on from the weights themselves.

With steps of a constant length the weights never come to rest; their average does (Polyak and Juditsky 1992; Izmailov
et al. 2018, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class AveragedWeights:
    """The exponential moving average of a model's parameters over steps; its buffers are those of the last one."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """`decay`: the share of the past in every step; .99 is an average over about the last 100 steps."""
        self._model = model
        self._averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    def add(self) -> None:
        """After a step; the first one's weights are where the average begins."""
        self._averaged.update_parameters(self._model)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the `with` lasts, the model has the averaged weights."""
        own = {name: one.detach().clone() for name, one in self._model.state_dict().items()}
        self._model.load_state_dict(self._averaged.module.state_dict())
        try:
            yield
        finally:
            self._model.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        """To go on with."""
        return self._averaged.state_dict()

    def resume(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._averaged.load_state_dict(state)
