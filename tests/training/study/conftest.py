"""Made-up findings: numbers drawn from a known model, to see what the report makes of them. Nobody's results."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from training.artefacts import CurvePoint
from training.study.findings import ENSEMBLE, Findings, KnowledgeCost, RanksByProtocol, RunFinding
from training.study.report import Report, ReportConfig, report
from training.study.significance import BootstrapConfig

TEACHERS = ("unisrec", "unim2rec", "recformer")
LIFT: Mapping[str, tuple[str, float]] = {
    "A0": ("no distillation", 0.0),
    "A1": ("the first teacher alone", 0.18),
    "A2": ("the second teacher alone", 0.14),
    "A3": ("the third teacher alone", 0.06),
    "A4": ("the plain mean of all teachers", 0.24),
    "A5": ("weighed by confidence", 0.31),
    "A6": ("weighed by consistency", 0.26),
    "A7": ("weighed by confidence and consistency", 0.36),
    "A8": ("A7 with a curriculum", 0.34),
    "A9": ("CA-MKD's weights", 0.25),
    "A10": ("EBKD's weights", 0.22),
    "A11": ("DLLM2Rec's weights per item", 0.2),
    "A12": ("relaxed ranking of A7's mixture", 0.28),
    "A13": ("A7 with alignment of vectors", 0.37),
    "A14": ("weighed by a learned gate", 0.33),
    "C1": ("control: label smoothing", 0.02),
    "C2": ("control: the student's own A0 is the teacher", 0.03),
    "C3": ("control: A7, every teacher's rows shuffled", -0.05),
    "C4": ("control: no teachers, text vectors as input", 0.1),
    "C5": ("control: popularity is the teacher", -0.01),
    "C7": ("control: A7, the first teacher's rows shuffled", 0.2),
}
"""Row -> its meaning, and by how much it lowers the logarithm of every rank."""
REFERENCES = {ENSEMBLE: 0.45, "unisrec": 0.3, "unim2rec": 0.25, "recformer": 0.1} | {
    "item-kNN": -0.2,
    "last-item Markov": -0.5,
    "popularity": -1.4,
}
WEIGHED = {"A5": 3.0, "A6": 1.0, "A7": 4.0, "A14": 2.0}
"""Row -> how unlike its weights are."""


class World:
    """Users with an ease of their own, and a rank for every user, lift and draw of luck."""

    def __init__(self, users: int, seed: int = 0) -> None:
        self._draw = np.random.default_rng(seed)
        self.users = users
        self.difficulty = self._draw.normal(5.2, 1.9, users)

    def ranks(self, lift: float, luck: float = 0.9) -> RanksByProtocol:
        noisy = self.difficulty - lift + self._draw.normal(0, luck, self.users)
        unmasked = np.maximum(1.0, np.round(np.exp(noisy)))
        return {"unmasked": unmasked, "masked": np.maximum(1.0, unmasked - self._draw.integers(0, 4, self.users))}

    def findings(self, students: Mapping[str, float], rows: Mapping[str, tuple[str, float]], seeds: int) -> Findings:
        """Students -> a lift of their own."""
        return Findings(
            dataset="made_up",
            split="leave-one-out",
            teachers=TEACHERS,
            runs=tuple(
                self.run((student, row), meaning, offset + lift, seed)
                for student, offset in students.items()
                for row, (meaning, lift) in rows.items()
                for seed in range(seeds)
            ),
            history_length=2 + self._draw.geometric(0.15, self.users),
            target_popularity=np.floor(np.exp(self._draw.normal(3, 1.3, self.users))).astype(np.int64),
            references={name: self.ranks(lift, 0.9 if name == ENSEMBLE else 1.2) for name, lift in REFERENCES.items()},
            knowledge=tuple(
                KnowledgeCost(name, 40_000_000 * (k + 1), 30.0 * (k + 1), (True, False, None)[k])
                for k, name in enumerate(TEACHERS)
            ),
            latency_ms={"sasrec": 0.42},
            config={"seeds": seeds, "students": list(students), "fit": {"epochs": 60, "patience": 10}},
        )

    def run(self, which: tuple[str, str], meaning: str, lift: float, seed: int) -> RunFinding:
        student, row = which
        ranks = self.ranks(lift)
        sample = self._weights(row)
        height = 0.05 * (1 + lift)
        return RunFinding(
            student=student,
            row=row,
            meaning=meaning,
            seed=seed,
            ranks=ranks,
            validation=height,
            curve=tuple(self._curve(height, 40 - 10 * (row != "A0"))),
            seconds=60.0 + 35 * (row[0] == "A" and row != "A0") + float(self._draw.random() * 8),
            parameters=382_000 if student == "sasrec" else 290_000,
            peak_memory_mb=410.0 + 90 * (row != "A0"),
            weights=None if sample is None else sample.mean(axis=0),
            weight_sample=sample,
        )

    def _curve(self, height: float, epochs: int) -> list[CurvePoint]:
        return [
            CurvePoint(
                epoch=k + 1,
                loss=8 * math.exp(-k / 9) + 2,
                validation=height * (1 - math.exp(-(k + 1) / 7)) + float(self._draw.normal(0, 0.0004)),
                seconds=2.0,
            )
            for k in range(epochs)
        ]

    def _weights(self, row: str) -> NDArray[np.float32] | None:
        if row not in WEIGHED:
            return None
        logits = self._draw.normal([0.5, 0.3, -0.4], WEIGHED[row] / 3, (600, 3))
        weights = np.exp(logits)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


QUICK = ReportConfig(bootstrap=BootstrapConfig(resamples=400, seed=1))


@pytest.fixture(scope="session")
def findings() -> Findings:
    """Two students, every row, three seeds."""
    return World(3000).findings({"sasrec": 0.0, "gru4rec": -0.1}, LIFT, 3)


@pytest.fixture(scope="session")
def made(findings: Findings) -> Report:
    return report(findings, QUICK)


@pytest.fixture(scope="session")
def unfinished() -> list[Findings]:
    """What a study has measured before it is through: no A0, no A7, one run, nothing at all, no reference."""
    world = World(200)
    chosen = [("A7",), ("A0",), ("A0", "A1"), ("A0", "A4", "C3"), ()]
    found = [world.findings({"sasrec": 0.0}, {row: LIFT[row] for row in rows}, 1) for rows in chosen]
    bare = world.findings({"fm": 0.0}, {row: LIFT[row] for row in ("A0", "A7")}, 2)
    return [
        *found,
        Findings(
            bare.dataset,
            bare.split,
            (),
            tuple(_bare(run) for run in bare.runs),
            bare.history_length,
            bare.target_popularity,
            {},
        ),
    ]


def _bare(run: RunFinding) -> RunFinding:
    """No curve, no weights, no memory measured."""
    return RunFinding(run.student, run.row, run.meaning, run.seed, run.ranks, run.validation, (), 0.0, 1)
