"""Each teacher's likeliest items at every train row, asked for once: what is learnt from lists (A11) reads no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.distillation.cast import present_rows
from training.distillation.teacher_panel import TeacherPanel
from training.progress import progress_bar

_ROWS = 512


@dataclass(frozen=True, eq=False)
class Ranked:
    """The lists at R rows."""

    item: Tensor
    """int64[M, R, K] catalogue indices, likeliest first"""
    log_p: Tensor
    """float[M, R, K] ln p of them at T = 1"""
    present: Tensor
    """bool[M, R]; where a teacher did not score the row, its list says nothing"""

    @property
    def named(self) -> Tensor:
        """The items of all lists, int64[R, M K]."""
        return self.item.transpose(0, 1).flatten(1)  # [R, M K]


@dataclass(frozen=True, eq=False)
class RankLists:
    """The lists at every row that a teacher scored."""

    row: NDArray[np.int64]
    """[S] flat rows, ascending"""
    ranked: Ranked
    """Of those S rows; on the processor."""

    @classmethod
    def of(cls, panel: TeacherPanel, items: int, top: int) -> Self:
        """Ask the teachers.

        Args:
            panel: M teachers.
            items: N, of the catalogue.
            top: K, or N where that is fewer.
        """
        rows, everything = present_rows(panel.memories), torch.arange(1, items + 1)  # [S], [N]
        parts: list[Ranked] = []
        with torch.no_grad(), progress_bar("rank lists", rows.size) as bar:
            for start in range(0, rows.size, _ROWS):
                part = rows[start : start + _ROWS]
                opinions = panel.opinions(torch.from_numpy(part), everything)
                log_p, item = opinions.log_p(1.0).topk(min(top, items), dim=-1)  # [M, R, K] each
                parts.append(Ranked(item.cpu() + 1, log_p.cpu(), opinions.present.cpu()))
                bar.advance(steps=part.size)
        whole = (torch.cat([getattr(one, name) for one in parts], dim=1) for name in ("item", "log_p", "present"))
        return cls(rows, Ranked(*whole))

    @property
    def top(self) -> int:
        """K."""
        return self.ranked.item.shape[-1]

    def at(self, rows: Tensor) -> Ranked:
        """The lists at flat rows int64[R], on their device; at a row that nobody scored, nobody is present."""
        wanted = rows.cpu().numpy()  # [R]
        place = np.searchsorted(self.row, wanted).clip(max=self.row.size - 1)  # [R]
        known, kept = torch.from_numpy(self.row[place] == wanted), torch.from_numpy(place)  # [R] each
        item, log_p = (one[:, kept].to(rows.device) for one in (self.ranked.item, self.ranked.log_p))  # [M, R, K] each
        return Ranked(item, log_p, (self.ranked.present[:, kept] & known).to(rows.device))
