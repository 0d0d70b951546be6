"""Who gains: users apart by how well known their target is and by how long their history is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.config import Config
from training.evaluation.ranking import PROTOCOLS, Masking
from training.study.comparisons import BASE, MAIN_METRIC, Lineup
from training.study.findings import Findings
from training.study.significance import BootstrapConfig, Estimate, estimates

Grouping = Literal["target", "history"]
COLD = 5
"""A target with so many train interactions or fewer is cold."""
SMALLEST = 30
"""Of fewer users nothing is said: few draws differ, and the interval would look surer than it is."""


@dataclass(frozen=True, eq=False)
class UserGroup:
    """Some of the test users."""

    grouping: Grouping
    name: str
    members: NDArray[np.bool_]
    """[E]"""


class GroupGain(Config):
    """What a row adds over no distillation, for some of the users: mean difference of NDCG@10."""

    grouping: Grouping
    group: str
    users: int
    row: str
    protocol: Masking
    base: float
    """NDCG@10 of A0 for them."""
    gain: Estimate | None
    """None: fewer than SMALLEST users."""


def user_groups(findings: Findings) -> tuple[UserGroup, ...]:
    """Both groupings; every user is in one group of each."""
    return (*target_groups(findings.target_popularity), *history_groups(findings.history_length))


def target_groups(popularity: NDArray[np.int64]) -> list[UserGroup]:
    """Cold targets; the others halved at their median, so that head and tail hold as many users as ties allow."""
    warm = popularity[popularity > COLD]
    edges = [COLD, *([int(np.median(warm))] if warm.size else [])]
    return _cut("target", popularity, edges, ("cold", "tail", "head"))


def history_groups(length: NDArray[np.int64]) -> list[UserGroup]:
    """Quarters of the users by the length of their history, as far as ties allow."""
    edges = np.unique(np.quantile(length, [0.25, 0.5, 0.75], method="lower")).tolist()
    return _cut("history", length, edges, ("",) * 4)


def group_gains(groups: Sequence[UserGroup], entries: Lineup, config: BootstrapConfig) -> tuple[GroupGain, ...]:
    """Every row of the student against A0, in every group; nothing where A0 is not measured."""
    if BASE not in entries:
        return ()
    rows = [name for name, entry in entries.items() if entry.kind == "student" and name != BASE]
    wanted = [(row, protocol) for protocol in PROTOCOLS for row in rows]
    if not wanted:
        return ()
    base = {protocol: entries[BASE].values(protocol, MAIN_METRIC) for protocol in PROTOCOLS}  # [E]
    gains = np.stack(
        [entries[row].values(protocol, MAIN_METRIC) - base[protocol] for row, protocol in wanted], axis=1
    )  # [E, K]
    return tuple(
        GroupGain(
            grouping=group.grouping,
            group=group.name,
            users=int(group.members.sum()),
            row=row,
            protocol=protocol,
            base=float(base[protocol][group.members].mean()),
            gain=gain,
        )
        for group in groups
        for (row, protocol), gain in zip(wanted, _gains(gains[group.members], config), strict=True)
    )


def _gains(gains: NDArray[np.float64], config: BootstrapConfig) -> Sequence[Estimate | None]:
    if gains.shape[0] < SMALLEST:
        return [None] * gains.shape[1]
    return estimates(gains, config)


def _cut(grouping: Grouping, values: NDArray[np.int64], edges: Sequence[int], titles: Sequence[str]) -> list[UserGroup]:
    """Groups (edge before, edge], named by title and the least and greatest value in them; empty ones are none."""
    place = np.searchsorted(np.asarray(edges), values, side="left")  # [E]
    found = []
    for number, title in enumerate(titles):
        members = place == number  # [E]
        if members.any():
            name = f"{title} {_span(values[members])}".strip()
            found.append(UserGroup(grouping, name, members))
    return found


def _span(values: NDArray[np.int64]) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low}–{high}"
