"""One process or many: the same training code, under `accelerate launch`, `torchrun`, or neither.

    accelerate launch --multi_gpu --num_processes 2 -m training finetune unisrec --data DATA --out DIR
    torchrun --nproc_per_node 2 -m training finetune unisrec --data DATA --out DIR        GPUs or none

Every process takes its share of each step's examples; losses and gradients are weighed by rows, so that many processes
learn what one would. In-batch negatives come from all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx

from training.config import ConfigError


@dataclass(frozen=True)
class Processes:
    """This process among its like."""

    rank: int
    count: int

    @classmethod
    def here(cls) -> Processes:
        """Join the processes that `accelerate launch` (or torchrun) started; alone without one."""
        state = _joined()
        return cls(state.process_index, state.num_processes)

    @property
    def alone(self) -> bool:
        """One process: nothing is exchanged."""
        return self.count == 1

    @property
    def writes(self) -> bool:
        """One of them writes files; the others wait for it."""
        return self.rank == 0

    @cached_property
    def _state(self) -> PartialState:
        return _joined()

    def wait(self) -> None:
        """Go on when all have come here."""
        self._state.wait_for_everyone()

    def device(self, wanted: torch.device) -> torch.device:
        """Several processes on GPUs have one each."""
        return wanted if self.alone or wanted.type == "cpu" else self._state.device

    def shares(self, steps: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """This process's examples of each step: every `count`-th one, so that like lengths go to each.

        Raises:
            ConfigError: fewer examples than processes.
        """
        if self.alone:
            return steps
        shared = _enough_for_all(steps, self.count)
        if any(step.size < self.count for step in shared):
            raise ConfigError(f"{shared[0].size} examples to learn from are too few for {self.count} processes")
        return [step[self.rank :: self.count] for step in shared]

    def total(self, number: float) -> float:
        """The sum over all processes."""
        if self.alone:
            return number
        found = torch.tensor(number, dtype=torch.float64, device=self._state.device)  # [], where the backend reads it
        distributed.all_reduce(found)
        return found.item()

    def mean(self, number: float) -> float:
        """The mean over all processes: what they decide by must be one number, to the last bit."""
        return self.total(number) / self.count

    def add_gradients(self, model: nn.Module) -> None:
        """Give every process the sum of all gradients; a weight that a share did not touch counts as 0 there."""
        if self.alone:
            return
        learnt = [one for one in model.parameters() if one.requires_grad]
        flat = torch.cat([(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in learnt])  # [P]
        distributed.all_reduce(flat)
        for one, gradient in zip(learnt, torch.split(flat, [one.numel() for one in learnt]), strict=True):
            one.grad = gradient.view_as(one)


@dataclass(frozen=True, eq=False)
class AllRows:
    """The rows of every process, this one's among them."""

    rows: Tensor
    """[R_all, ...]"""
    start: int
    """Where this process's rows begin."""


def across_processes(rows: Tensor) -> AllRows:
    """Collect rows [R, ...] of all processes, with gradients to where they came from. Every process must call it."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return AllRows(rows, 0)
    sizes = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
    counts = [int(size) for size in sizes]
    padding = rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])  # the exchange wants equal shapes
    gathered: Tensor = _Gather.apply(torch.cat([rows, padding]))  # type: ignore[no-untyped-call]  # [P, R_max, ...]
    kept = torch.cat([one[:count] for one, count in zip(gathered, counts, strict=True)])  # [R_all, ...]
    return AllRows(kept, sum(counts[: distributed.get_rank()]))


class _Gather(torch.autograd.Function):
    """What all processes hold, [P, R, ...]; what they all learn of this one's rows comes back to it."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        del ctx
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.stack(parts)  # [P, R, ...]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        del ctx
        whole = gradient.clone(memory_format=torch.contiguous_format)  # [P, R, ...]
        distributed.all_reduce(whole)
        return whole[distributed.get_rank()]  # [R, ...]


def _joined() -> PartialState:
    """Without a word on it, accelerate looks for GPUs alone: processes without one would each be the only one."""
    if distributed.is_available():
        # The default arguments in it are the group that exists when it is imported. Imported by others once there is
        # one, they would hold that group, and its threads, beyond `leave`.
        import_module("torch.distributed.nn")
    return PartialState(cpu=not torch.cuda.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU"))


def _enough_for_all(steps: list[NDArray[np.int64]], count: int) -> list[NDArray[np.int64]]:
    """No step may leave a process without an example: a smaller one joins the step before it (the first: after it)."""
    joined: list[NDArray[np.int64]] = []
    for step in steps:
        if joined and min(step.size, joined[-1].size) < count:
            joined[-1] = np.concatenate([joined[-1], step])
        else:
            joined.append(step)
    return joined


def leave() -> None:
    """Take leave of the other processes, so that none of the group's threads is left.

    A late one that has yet to free a tensor needs the interpreter; where that is ending, the process is aborted.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
