"""The dashboard's panels, as its file describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel; a row is a panel without queries."""

    kind: str
    title: str
    unit: str
    at: tuple[int, int, int, int]
    """x, y, width, height, in cells of a grid 24 wide."""
    stacked: bool
    targets: tuple[Target, ...]


def read_panels() -> list[Panel]:
    """In the order of the file, rows among them."""
    dashboard = json.loads((MONITORING / "grafana/dashboards/recommendations.json").read_text())
    return [_panel(one) for one in dashboard["panels"]]


def _panel(stated: dict[str, object]) -> Panel:
    position, targets, config = stated["gridPos"], stated.get("targets", []), stated.get("fieldConfig", {})
    assert isinstance(position, dict)
    assert isinstance(targets, list)
    assert isinstance(config, dict)
    defaults = config.get("defaults", {})
    return Panel(
        kind=str(stated["type"]),
        title=str(stated["title"]),
        unit=str(defaults.get("unit", "short")),
        at=(position["x"], position["y"], position["w"], position["h"]),
        stacked="stacking" in defaults.get("custom", {}),
        targets=tuple(Target(one["expr"], one["legendFormat"]) for one in targets),
    )
