"""The dashboard, the alerts and the containers that show them name what there is. Whether every query finds something
in a real Prometheus is what `python -m benchmarks.monitoring` tries out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # uvicorn brings it along, without stubs
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from service.errors import ERROR_NAMES
from service.metrics import Metrics

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "docker" / "monitoring"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def read(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load((MONITORING / path).read_text()))


def dashboard() -> dict[str, Any]:
    return dict(json.loads((MONITORING / "grafana/dashboards/recommendations.json").read_text()))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in dashboard()["annotations"]["list"])
    yield from (rule["expr"] for group in read("alerts.yml")["groups"] for rule in group["rules"])


def series(family: Metric) -> list[str]:
    return [family.name + suffix for suffix in SUFFIXES[family.type]]


FAMILIES = {name: family for family in Metrics().registry.collect() for name in series(family)}
OF_PROMETHEUS = {"job", "le", "pid"}
"""Labels that no metric of ours declares: the target's, the buckets', the workers'."""
METERS = [meter for meter in vars(Metrics()).values() if isinstance(meter, MetricWrapperBase)]
LABELS = OF_PROMETHEUS.union(*(meter._labelnames for meter in METERS))
ALL_QUERIES = sorted(set(queries()))


@pytest.mark.parametrize("query", ALL_QUERIES)
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    named = set(re.findall(r"\b(?:rec_\w+|up)\b", query))
    assert named
    assert named <= FAMILIES.keys() | {"up"}
    matched = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query)
    grouped = re.findall(r"(?:by|on) \(([^)]*)\)", query)
    assert {*matched, *(label.strip() for group in grouped for label in group.split(","))} <= LABELS


@pytest.mark.parametrize("query", ALL_QUERIES)
def test_only_what_counts_up_is_asked_for_its_rate(query: str) -> None:
    for name in re.findall(r"(?:rate|increase)\((rec_\w+)", query):
        assert FAMILIES[name].type in ("counter", "histogram"), name


def test_what_alerts_wait_for_is_there_before_it_happens() -> None:
    """An increase from nothing to one is none to Prometheus."""
    exposed = Metrics().exposition().decode().splitlines()
    for line in ('rec_reloads_total{outcome="refused"} 0.0', 'rec_errors_total{error="overloaded"} 0.0'):
        assert line in exposed


def test_errors_that_are_named_are_errors_of_the_table() -> None:
    matched = "|".join(names for query in queries() for names in re.findall(r"error=~?\"([^\"]+)\"", query))
    named = matched.split("|")
    assert set(named) <= ERROR_NAMES


def test_every_metric_but_the_keys_names_is_on_the_dashboard() -> None:
    """Each is there because somebody wants to see it."""
    shown = {name for query in queries() for name in re.findall(r"\brec_\w+", query)}
    families = {family.name for family in Metrics().registry.collect()}
    assert families - {FAMILIES[name].name for name in shown} == {"rec_key_requests"}


def test_the_panels_fill_the_grid_and_none_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken))
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def test_everything_asks_the_data_source_that_is_provided(compose: dict[str, Any]) -> None:
    (source,) = read("grafana/datasources/prometheus.yml")["datasources"]
    annotations = dashboard()["annotations"]["list"]
    targets = [target for panel in panels() for target in panel["targets"]]
    asked = [one["datasource"] for one in (*panels(), *targets, *annotations)]
    assert all(one == {"type": source["type"], "uid": source["uid"]} for one in asked)
    host, port = source["url"].removeprefix("http://").split(":")
    assert host in compose["services"]
    assert compose["services"][host]["ports"] == [f"127.0.0.1:${{PROMETHEUS_PORT:-{port}}}:{port}"]
    assert source["jsonData"]["timeInterval"] == read("prometheus.yml")["global"]["scrape_interval"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def test_the_profile_is_these_two_and_nothing_that_serves_needs_them(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert {name for name, one in services.items() if one.get("profiles") == ["monitor"]} == {"prometheus", "grafana"}
    for name in ("redis", "trainer", "service"):
        assert "profiles" not in services[name]
        assert not {"prometheus", "grafana"} & set(services[name].get("depends_on", []))
    for name in ("prometheus", "grafana"):
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", services[name]["image"].removeprefix("${REGISTRY:-}"))
        assert set(services[name]["networks"]) & set(services["service"]["networks"])
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])


def test_the_service_is_scraped_where_it_listens(compose: dict[str, Any]) -> None:
    ((target,),) = [one["targets"] for one in read("prometheus.yml")["scrape_configs"][0]["static_configs"]]
    host, port = target.split(":")
    assert compose["services"][host]["ports"][0].endswith(f":{port}")


def test_what_is_mounted_exists_where_it_is_looked_for(compose: dict[str, Any]) -> None:
    mounted = dict[str, Path]()
    for name in ("prometheus", "grafana"):
        for volume in compose["services"][name]["volumes"]:
            source, target, *_ = volume.split(":")
            if source.startswith("./"):
                mounted[target] = ROOT / source
    assert all(path.exists() for path in mounted.values())
    assert [f"/etc/prometheus/{name}" for name in read("prometheus.yml")["rule_files"]] == [
        "/etc/prometheus/alerts.yml"
    ]
    assert "/etc/prometheus/alerts.yml" in mounted
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (provider,) = read("grafana/dashboards/files.yml")["providers"]
    assert home.startswith(provider["options"]["path"])
    (root,) = [target for target in mounted if home.startswith(target)]
    assert (mounted[root] / home.removeprefix(f"{root}/")).is_file()
