"""`report.json`: what a study found, worked out: tables, differences, groups, costs and verdicts."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

from pydantic import Field, JsonValue

from training.config import Config
from training.evaluation.metrics import summary
from training.evaluation.ranking import PROTOCOLS, Masking
from training.study.comparisons import (
    BASE,
    FULL,
    MAIN_METRIC,
    Difference,
    Entry,
    Kind,
    Lineup,
    best_single,
    compare,
    lineup,
)
from training.study.complementarity import Complementarity, complementarity
from training.study.costs import KnowledgeReport, RowCost, knowledge_reports, row_costs
from training.study.findings import ENSEMBLE, Findings
from training.study.groups import GroupGain, group_gains, user_groups
from training.study.significance import BootstrapConfig, Share, share_of
from training.study.verdicts import Evidence, Verdict, verdicts

REPORT = "report.json"
METRICS = ("ndcg@10", "recall@10", "ndcg@50", "recall@50", "mrr")


class ReportConfig(Config):
    """How a report is made from findings."""

    bootstrap: BootstrapConfig = Field(default_factory=BootstrapConfig)
    headline: Masking = "unmasked"
    """The protocol that plots show and verdicts name first; the other one stands beside it."""


class Statistic(Config):
    """A metric over seeds."""

    mean: float
    sd: float | None
    """None: one seed."""


class RowReport(Config):
    """One line of a table."""

    name: str
    meaning: str
    kind: Kind
    seeds: int
    metrics: dict[Masking, dict[str, Statistic]]
    repeat_aware: dict[str, Statistic] | None = None
    """Unmasked, with an offset on what was seen, fitted on the calibration half of validation; `offset` among them.
    None: not measured."""
    cut_short: int | None = None
    """Of the seeds, those whose training was ended by its limit of epochs and not by patience. None: of a reference, or
    in a report from before this was told."""


class StudentReport(Config):
    """All about one student."""

    student: str
    rows: tuple[RowReport, ...]
    """The study's rows, then ensemble, teachers and floors."""
    differences: tuple[Difference, ...]
    best_single: dict[Masking, str]
    """The row that "best single teacher" means; absent: none is measured."""
    groups: tuple[GroupGain, ...]
    closed: dict[Masking, Share | None]
    """(A7 - A0) / (C6 - A0) of NDCG@10; None: not measured, or C6 is not surely above A0."""
    costs: tuple[RowCost, ...]
    latency_ms: float | None
    """One request; None: not measured."""
    mean_weights: dict[str, tuple[float, ...]]
    """Row -> weight of each teacher, the mean over seeds."""

    def row(self, name: str) -> RowReport | None:
        """A line by its name."""
        return next((row for row in self.rows if row.name == name), None)

    def difference(self, left: str, right: str, protocol: Masking, metric: str = MAIN_METRIC) -> Difference | None:
        """A comparison, if it was made."""
        wanted = (left, right, protocol, metric)
        return next(
            (one for one in self.differences if (one.left, one.right, one.protocol, one.metric) == wanted), None
        )


class Report(Config):
    """The whole study on one data set."""

    dataset: str
    split: str
    users: int
    teachers: tuple[str, ...]
    how: ReportConfig
    recipe: dict[str, JsonValue]
    verdicts: tuple[Verdict, ...]
    students: tuple[StudentReport, ...]
    complementarity: tuple[Complementarity, ...]
    knowledge: tuple[KnowledgeReport, ...]

    def write(self, folder: Path) -> Path:
        """Write `report.json`; whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{REPORT}.partial"
        partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return partial.replace(folder / REPORT)

    @classmethod
    def read(cls, folder: Path) -> Report:
        """Read `report.json`.

        Raises:
            OSError: it is not there.
            ValueError: it is no report.
        """
        return cls.model_validate_json((folder / REPORT).read_bytes())


def report(findings: Findings, how: ReportConfig | None = None) -> Report:
    """Work everything out; what is not measured yet is left out."""
    config = how or ReportConfig()
    students = tuple(_student(findings, name, config) for name in findings.students)
    return Report(
        dataset=findings.dataset,
        split=findings.split,
        users=findings.users,
        teachers=findings.teachers,
        how=config,
        recipe=dict(findings.config),
        verdicts=tuple(one for student in students for one in _verdicts(student, findings)),
        students=students,
        complementarity=complementarity(findings),
        knowledge=knowledge_reports(findings.knowledge),
    )


def _student(findings: Findings, name: str, config: ReportConfig) -> StudentReport:
    entries = lineup(findings, name)
    runs = findings.of(name)
    single = {protocol: best_single(entries, protocol) for protocol in PROTOCOLS}
    weights = {row: [one.weights for one in found if one.weights is not None] for row, found in runs.items()}
    return StudentReport(
        student=name,
        rows=tuple(_row(entry) for entry in entries.values()),
        differences=compare(entries, config.bootstrap),
        best_single={protocol: row for protocol, row in single.items() if row is not None},
        groups=group_gains(user_groups(findings), entries, config.bootstrap),
        closed={protocol: _closed(entries, protocol, config.bootstrap) for protocol in PROTOCOLS},
        costs=row_costs(runs),
        latency_ms=(findings.latency_ms or {}).get(name),
        mean_weights={
            row: tuple(float(sum(one) / len(found)) for one in zip(*found, strict=True))
            for row, found in weights.items()
            if found
        },
    )


def _row(entry: Entry) -> RowReport:
    found = {protocol: [summary(ranks[protocol]) for ranks in entry.seeds] for protocol in PROTOCOLS}
    return RowReport(
        name=entry.name,
        meaning=entry.meaning,
        kind=entry.kind,
        seeds=len(entry.seeds),
        metrics={
            protocol: {metric: _statistic([one[metric] for one in seeds]) for metric in METRICS}
            for protocol, seeds in found.items()
        },
        repeat_aware=_repeat_aware(entry),
        cut_short=entry.cut_short,
    )


def _repeat_aware(entry: Entry) -> dict[str, Statistic] | None:
    if not entry.repeat_aware:
        return None
    seeds = [{**summary(one.ranks), "offset": one.offset} for one in entry.repeat_aware]
    return {name: _statistic([one[name] for one in seeds]) for name in (*METRICS, "offset")}


def _statistic(seeds: list[float]) -> Statistic:
    return Statistic(mean=mean(seeds), sd=stdev(seeds) if len(seeds) > 1 else None)


def _closed(entries: Lineup, protocol: Masking, config: BootstrapConfig) -> Share | None:
    if not {BASE, FULL, ENSEMBLE} <= set(entries):
        return None
    base, full, ceiling = (entries[name].values(protocol, MAIN_METRIC) for name in (BASE, FULL, ENSEMBLE))  # [E]
    return share_of(full - base, ceiling - base, config)


def _verdicts(student: StudentReport, findings: Findings) -> list[Verdict]:
    base = student.row(BASE)
    return [
        verdict
        for protocol in PROTOCOLS
        for verdict in verdicts(
            Evidence(
                student=student.student,
                protocol=protocol,
                differences=student.differences,
                groups=student.groups,
                closed=student.closed[protocol],
                base=None if base is None else base.metrics[protocol][MAIN_METRIC].mean,
                published=findings.published.get(student.student),
            )
        )
    ]
