"""Soft targets: what the teachers of a row of the study say together, worked out once and kept, not at every epoch.

The mixture of a train row does not change while the student learns. Its K likeliest items are kept, and all the others
count as one outcome, "something else": the divergence over K + 1 outcomes is a lower bound of the one over all items
(data processing), equal to it at K = N, and costs a gather where the whole would cost M matrix products over the
catalogue at every step. The arrays lie on disk and are read memory-mapped.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.arrays import fingerprint
from training.dataset import Contents
from training.distillation.cast import HeardTeachers, present_rows
from training.distillation.confidence import label_confidence
from training.distillation.integration import mixture
from training.distillation.teacher_panel import TeacherPanel
from training.distillation.weighting import Judged, mean_over_teachers
from training.progress import progress_bar

Weigh = Callable[[NDArray[np.int64], Judged], Tensor]
"""(flat rows [R], what the teachers said of them) -> w, float[M, R]"""
_ROWS = 512
_LEAST = 1e-8


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """p̄ of S train rows."""

    row: NDArray[np.int64]
    """[S] flat rows, ascending: those that a teacher scored"""
    item: NDArray[np.int32]
    """[S, K] catalogue indices, likeliest first"""
    log_p: NDArray[np.float16]
    """[S, K] ln p̄ at temperature T"""
    label_nll: NDArray[np.float32]
    """[S] -ln p̄(y) at T = 1"""
    weight: NDArray[np.float16]
    """[S, M] w"""
    agreement: NDArray[np.float32]
    """[S] sum over teachers of w b: how much those that are heard agree with the others"""
    teachers_nll: NDArray[np.float32]
    """[S] mean over teachers of -ln p^m(y) at T = 1"""
    consistency: NDArray[np.float32]
    """[S] mean over teachers of b"""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Map them into memory."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS))

    def places(self, rows: Tensor) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where some flat rows int64[R] stand among the S, and which of them do: [R] each."""
        wanted = rows.cpu().numpy()  # [R]
        place = np.searchsorted(self.row, wanted).clip(max=self.row.size - 1)  # [R]
        return place, self.row[place] == wanted

    def weights_at(self, rows: Tensor) -> Tensor:
        """w at some flat rows, float[M, R]; 0 where no teacher scored the row."""
        place, known = self.places(rows)  # [R] each
        weight = self.weight[place].astype(np.float32) * known[:, None]  # [R, M]
        return torch.from_numpy(weight.T).to(rows.device)  # [M, R]

    def items_at(self, rows: Tensor) -> Tensor:
        """Catalogue indices of what is kept of some flat rows, int64[R, K]."""
        return torch.from_numpy(self.item[self.places(rows)[0]].astype(np.int64)).to(rows.device)  # [R, K]

    def at(self, rows: Tensor) -> Targets:
        """The targets at some flat rows int64[R]."""
        place, known = self.places(rows)  # [R] each
        item, log_p = self.item[place].astype(np.int64), self.log_p[place].astype(np.float32)  # [R, K] each
        device = rows.device
        return Targets(
            torch.from_numpy(item).to(device),
            torch.from_numpy(log_p).to(device),
            torch.from_numpy(known).to(device),
            place,
        )


@dataclass(frozen=True, eq=False)
class Targets:
    """p̄ of the R rows of a step."""

    item: Tensor
    """int64[R, K]"""
    log_p: Tensor
    """float[R, K]"""
    known: Tensor
    """bool[R]: False where no teacher scored the row, and the rest means nothing"""
    place: NDArray[np.int64]
    """[R] where they stand among all soft targets"""


_ARRAYS = tuple(SoftTargets.__annotations__)


@dataclass(frozen=True)
class Keeping:
    """How soft targets are kept."""

    top: int
    """K; more than there are items: all of them."""
    temperature: float
    """T of the mixture."""


def soft_targets(
    dataset: Contents, teachers: HeardTeachers, weigh: tuple[str, Weigh], keeping: Keeping, folder: Path
) -> SoftTargets:
    """Work the soft targets out, or read them where the same ones were worked out before.

    Args:
        dataset: whose train rows.
        teachers: who is heard; they answer where they are.
        weigh: what the weights rest on, and the function that makes them; equal names for equal weights.
        keeping: how many, and how soft.
        folder: where soft targets of this cache are kept, each in a folder of its own.
    """
    name, function = weigh
    what = f"{dataset.fingerprint} {dataset.split.fingerprint} {teachers.name} {name} {keeping}"
    place = folder / fingerprint({"what": what})[:16]
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        try:
            _work_out(dataset, teachers, function, keeping, aside)
            _move(aside, place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return SoftTargets.read(place)


def _move(aside: Path, place: Path) -> None:
    """Another process may have been faster with the very same arrays."""
    try:
        aside.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _work_out(dataset: Contents, teachers: HeardTeachers, weigh: Weigh, keeping: Keeping, folder: Path) -> None:
    rows = present_rows(teachers.memories)  # [S]
    top = min(keeping.top, len(dataset.catalog))
    shapes = {
        "row": (np.int64, ()),
        "item": (np.int32, (top,)),
        "log_p": (np.float16, (top,)),
        "label_nll": (np.float32, ()),
        "weight": (np.float16, (len(teachers),)),
        "agreement": (np.float32, ()),
        "teachers_nll": (np.float32, ()),
        "consistency": (np.float32, ()),
    }
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(rows.size, *shape))
        for name, (dtype, shape) in shapes.items()
    }
    panel = TeacherPanel(teachers.memories, teachers.device)
    with torch.no_grad(), progress_bar("soft targets", rows.size) as bar:
        for start in range(0, rows.size, _ROWS):
            part = slice(start, start + _ROWS)
            found = _chunk(dataset, panel, rows[part], (weigh, Keeping(top, keeping.temperature)))
            for name, value in found.items():
                arrays[name][part] = value
            bar.advance(steps=rows[part].size)
    for one in arrays.values():
        one.flush()


def _chunk(
    dataset: Contents, panel: TeacherPanel, rows: NDArray[np.int64], how: tuple[Weigh, Keeping]
) -> dict[str, NDArray[np.generic]]:
    """All that is kept of R rows."""
    weigh, keeping = how
    opinions = panel.opinions(torch.from_numpy(rows), torch.arange(1, len(dataset.catalog) + 1))
    log_p = opinions.log_p(1.0)  # [M, R, N]
    target = torch.from_numpy(dataset.interactions.item[rows].astype(np.int64) - 1).to(log_p.device)  # [R]
    judged = Judged.of(log_p, target, opinions.present, panel.optimism)
    weight = weigh(rows, judged)  # [M, R]
    plain = mixture(log_p, weight)  # [R, N]
    soft = plain if keeping.temperature == 1 else mixture(opinions.log_p(keeping.temperature), weight)  # [R, N]
    kept, item = soft.topk(keeping.top, dim=1)  # [R, K] each
    confidence = label_confidence(log_p, target)  # [M, R]
    found = {
        "row": torch.from_numpy(rows),
        "item": item + 1,
        "log_p": kept,
        "label_nll": -plain.gather(1, target[:, None]).squeeze(1).clamp(min=np.log(_LEAST)),
        "weight": weight.T,
        "agreement": (weight * judged.consistency).sum(dim=0),
        "teachers_nll": mean_over_teachers(-(confidence + _LEAST).log(), opinions.present),
        "consistency": mean_over_teachers(judged.consistency, opinions.present),
    }
    return {name: value.cpu().numpy() for name, value in found.items()}
