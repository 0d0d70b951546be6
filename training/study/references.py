"""What stands beside the students of a study: floors, each teacher, and the teachers' own mixture (C6, the ceiling)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.dataset import Dataset
from training.evaluation.baselines import floors
from training.evaluation.ranking import Scorer, ranks_by_protocol
from training.evaluation.repeat_offset import RepeatAware, repeat_aware
from training.interactions import Interactions
from training.knowledge import TeacherKnowledge
from training.memory import Memory
from training.study.findings import ENSEMBLE, RanksByProtocol


@dataclass(frozen=True, eq=False)
class MemoryScorer:
    """The plain mean of some teachers' calibrated distributions, out of what they left behind; one alone is itself."""

    memories: Sequence[Memory]

    def scores(self, interactions: Interactions, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[E, N+1]: ln of the mean of p^m at T = 1; PAD's is -inf."""
        del interactions
        log_p = torch.stack([one.held_out_log_p(rows) for one in self.memories])  # [M, E, N]
        mixed = log_p.logsumexp(dim=0)  # [E, N]: ln M more than the mean, for every item
        return np.pad(mixed.cpu().numpy(), ((0, 0), (1, 0)), constant_values=-np.inf)  # [E, N+1]


def references(
    dataset: Dataset, knowledge: TeacherKnowledge, device: torch.device
) -> tuple[dict[str, RanksByProtocol], dict[str, RepeatAware]]:
    """Name -> ranks of the test users' targets, without and with an offset on what was seen."""
    memories = [one.on(device) for one in knowledge.teachers]
    scorers: Mapping[str, Scorer] = {
        **floors(dataset.interactions, dataset.split, len(dataset.catalog)),
        **{name: MemoryScorer([one]) for name, one in zip(names(knowledge), memories, strict=True)},
        ENSEMBLE: MemoryScorer(memories),
    }
    rows = dataset.split.test
    plain: dict[str, RanksByProtocol] = {
        name: ranks_by_protocol(one, dataset.interactions, rows) for name, one in scorers.items()
    }
    return plain, {name: repeat_aware(one, dataset) for name, one in scorers.items()}


def names(knowledge: TeacherKnowledge) -> tuple[str, ...]:
    """What the teachers are called; of two of a kind the second is `unisrec 2`."""
    found: list[str] = []
    for one in knowledge.teachers:
        before = sum(name.split(" ")[0] == one.entry.name for name in found)
        found.append(f"{one.entry.name} {before + 1}" if before else one.entry.name)
    return tuple(found)
