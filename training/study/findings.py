"""What was measured in a study, before anything is said about it: one value for a run, one for them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from training.arrays import read_only
from training.artefacts import CurvePoint
from training.evaluation.metrics import Ranks
from training.evaluation.ranking import PROTOCOLS, Masking
from training.evaluation.repeat_offset import RepeatAware

ENSEMBLE = "C6"
"""The name, among the references, of the teachers' own mixture: the ceiling."""

RanksByProtocol = Mapping[Masking, Ranks]
"""Protocol -> float64[E]: the rank of each test user's target, best 1; inf: never found."""


class FindingInvalid(ValueError):
    """A measurement that contradicts itself or those beside it; the message names the run and the field."""


@dataclass(frozen=True, eq=False)
class RunFinding:
    """One training of one student."""

    student: str
    row: str
    """A0, A7, C3, ..."""
    meaning: str
    """The row in words."""
    seed: int
    ranks: RanksByProtocol
    validation: float
    """NDCG@10 on the validation users at the epoch that was kept."""
    curve: tuple[CurvePoint, ...]
    seconds: float
    """Wall time of the training."""
    parameters: int
    peak_memory_mb: float | None = None
    """None: not measured."""
    weights: NDArray[np.float32] | None = None
    """[M] mean weight of each teacher, in the order of the study's teachers; 0 for one that the row does not hear."""
    weight_sample: NDArray[np.float32] | None = None
    """[S', M] the weights of some train rows."""
    repeat_aware: RepeatAware | None = None
    """Unmasked ranks with an offset on what was seen; None: not measured."""
    device: str = ""
    """What it was trained on; empty: not known."""
    cut_short: bool = False
    """The limit of epochs ended the training before patience did: what more would have brought is not known."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranks", _checked_ranks(self.ranks, self.label))
        object.__setattr__(self, "weights", self._weights(self.weights, 1, "weights"))
        object.__setattr__(self, "weight_sample", self._weights(self.weight_sample, 2, "weight_sample"))
        wrong = {
            "student": not self.student,
            "row": not self.row,
            "validation": not np.isfinite(self.validation),
            "seconds": not (np.isfinite(self.seconds) and self.seconds >= 0),
            "parameters": self.parameters < 0,
        }
        for name in (name for name, bad in wrong.items() if bad):
            raise FindingInvalid(f"{self.label}: {name} is {getattr(self, name)!r}")

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.student} {self.row} seed {self.seed}"

    def _weights(self, given: NDArray[np.float32] | None, dimensions: int, name: str) -> NDArray[np.float32] | None:
        if given is None:
            return None
        found = np.asarray(given, dtype=np.float32)
        if found.ndim != dimensions or not bool(np.all(np.isfinite(found)) and np.all(found >= 0)):
            raise FindingInvalid(f"{self.label}: {name} {found.shape} must be {dimensions}-dimensional, finite, >= 0")
        return read_only(found, np.float32)


@dataclass(frozen=True)
class KnowledgeCost:
    """What the memory of one teacher cost."""

    teacher: str
    bytes: int
    """On disk."""
    seconds: float
    """To gather."""
    cut_short: bool | None = None
    """Its training was ended by its limit of epochs, where patience would have gone on; None: not noted."""


@dataclass(frozen=True, eq=False)
class Findings:
    """All that a study measured on one data set."""

    dataset: str
    split: str
    teachers: tuple[str, ...]
    runs: tuple[RunFinding, ...]
    history_length: NDArray[np.int64]
    """[E] interactions of each test user before the target"""
    target_popularity: NDArray[np.int64]
    """[E] train interactions of each test target"""
    references: Mapping[str, RanksByProtocol]
    """Floors, teachers (under their names in `teachers`) and ENSEMBLE."""
    knowledge: tuple[KnowledgeCost, ...] = ()
    latency_ms: Mapping[str, float] | None = None
    """Student -> milliseconds for one request; None: not measured."""
    published: Mapping[str, float] = field(default_factory=dict)
    """Student -> NDCG@10 without distillation, unmasked, in the published table of the SAME data and split."""
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """The recipe, as JSON."""
    repeat_aware: Mapping[str, RepeatAware] = field(default_factory=dict)
    """Reference -> its ranks with an offset of its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "history_length", read_only(self.history_length, np.int64))
        object.__setattr__(self, "target_popularity", read_only(self.target_popularity, np.int64))
        checked = {name: _checked_ranks(ranks, f"reference {name}") for name, ranks in self.references.items()}
        object.__setattr__(self, "references", checked)
        self._check_users()
        self._check_runs()

    @property
    def users(self) -> int:
        """E."""
        return self.history_length.size

    @property
    def students(self) -> tuple[str, ...]:
        """In the order of their first run."""
        return tuple(dict.fromkeys(run.student for run in self.runs))

    def of(self, student: str) -> dict[str, tuple[RunFinding, ...]]:
        """Row -> its runs, one a seed, both ascending (A2 before A10)."""
        mine = sorted((run for run in self.runs if run.student == student), key=lambda run: (_place(run.row), run.seed))
        rows = dict.fromkeys(run.row for run in mine)
        return {row: tuple(run for run in mine if run.row == row) for row in rows}

    def kind(self, reference: str) -> str:
        """What a reference is: teacher, ensemble or floor."""
        if reference == ENSEMBLE:
            return "ensemble"
        return "teacher" if reference in self.teachers else "floor"

    def _check_users(self) -> None:
        """Everything is about the same E users: a paired test on others would be nonsense that looks like a result."""
        if not self.users:
            raise FindingInvalid("history_length: there is no test user")
        sizes: list[tuple[str, int]] = [("target_popularity", self.target_popularity.size)]
        sizes += [(run.label, _size(run.ranks)) for run in self.runs]
        sizes += [(f"reference {name}", _size(ranks)) for name, ranks in self.references.items()]
        for name, size in sizes:
            if size != self.users:
                raise FindingInvalid(f"{name}: {size} users, history_length has {self.users}")

    def _check_runs(self) -> None:
        _refuse_twice((run.label for run in self.runs), "runs")
        _refuse_twice(self.teachers, "teachers")
        _refuse_twice((*self.references, *dict.fromkeys(run.row for run in self.runs)), "rows and references")
        for run in self.runs:
            for name, found in (("weights", run.weights), ("weight_sample", run.weight_sample)):
                if found is not None and found.shape[-1] != len(self.teachers):
                    raise FindingInvalid(
                        f"{run.label}: {name} of {found.shape[-1]}, there are {len(self.teachers)} teachers"
                    )


def _place(row: str) -> tuple[str, int, str]:
    """A2 comes before A10."""
    digits = row.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return row.removesuffix(digits), int(digits) if digits.isdigit() else 0, row


def _size(ranks: RanksByProtocol) -> int:
    return ranks["unmasked"].size


def _checked_ranks(ranks: RanksByProtocol, label: str) -> RanksByProtocol:
    if set(ranks) != set(PROTOCOLS):
        raise FindingInvalid(f"{label}: ranks of {sorted(ranks)}, wanted {sorted(PROTOCOLS)}")
    found = {protocol: read_only(ranks[protocol], np.float64) for protocol in PROTOCOLS}
    for protocol, one in found.items():
        if one.ndim != 1 or not bool(np.all(one >= 1)):  # NaN is not >= 1
            raise FindingInvalid(f"{label}: {protocol} ranks must be one list of numbers from 1 to inf")
    if found["masked"].size != found["unmasked"].size:
        raise FindingInvalid(f"{label}: masked and unmasked ranks are of different users")
    return found


def _refuse_twice(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FindingInvalid(f"{what}: {name} stands twice")
        seen.add(name)
