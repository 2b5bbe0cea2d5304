"""A real Prometheus scrapes a real daemon: every rule and every panel asks for what there is, and an alert fires and clears."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.alerts.prometheus import MONITORING, Prometheus
from simulator.child import LineProcess
from simulator.producer import cti_path
from tests.recipes import make_recipe
from tests.stations import running, simulated_camera, write_station

LIMIT_S = 60.0
WITHOUT_DATA = ("offset",)  # annotations of a change: there was none

pytestmark = [pytest.mark.time_limit_s(180), pytest.mark.needs_debian("prometheus", program="prometheus")]


@pytest.fixture
def prometheus(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[[int], Prometheus]]:
    started: list[Prometheus] = []

    def start(metrics_port: int) -> Prometheus:
        started.append(Prometheus(tmp_path, free_port(), metrics_port))
        return started[-1]

    yield start
    for one in started:
        one.close()


def panel_queries() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana/dashboards/station.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [note["expr"] for note in dashboard["annotations"]["list"]]
    return [query.replace("$instance", ".*").replace("$__rate_interval", "10s") for query in found]


def assert_rules_are_well_and_their_series_exist(prometheus: Prometheus, folder: Path) -> None:
    known = set(prometheus.get("label/__name__/values"))
    for path in (folder / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                prometheus.query(rule["expr"])  # raises where Prometheus answers with an error
                asked = set(re.findall(r"[\w:]*datumd_[\w:]+", rule["expr"]))
                assert {name for name in asked if not name.endswith(("3h", "drop1h"))} <= known, rule
    groups = prometheus.get("rules")["groups"]
    assert [rule for group in groups for rule in group["rules"] if rule["health"] == "err"] == []


def test_what_a_station_shows_is_what_rules_and_panels_ask_for(
    run_dir: Path,
    tmp_path: Path,
    station_name: str,
    free_port: Callable[[], int],
    prometheus: Callable[[int], Prometheus],
) -> None:
    port, metrics_port = free_port(), free_port()
    make_recipe(run_dir / "recipes" / "part", ["top"])
    line = LineProcess(
        run_dir, ["--source", "pattern", "--rate-hz", "10", "--triggers", "3000", "--fault", "incomplete:at=40"]
    )
    rest = simulated_camera("top", 0, cti_path()) + "[part]\ndeadline_ms = 5000\n"
    station = write_station(run_dir, station_name, run_dir / "recipes", port, metrics_port, rest)
    try:
        with running(station, port, line.environment):
            watch = prometheus(metrics_port)
            watch.wait(lambda: bool(watch.query("datumd_ready == 1")), LIMIT_S)
            line.go()
            watch.wait(lambda: {"DatumdLosses", "DatumdCameraLosses"} <= watch.firing(), LIMIT_S)
            assert_rules_are_well_and_their_series_exist(watch, tmp_path)
            for query in panel_queries():
                found = watch.query(query)
                assert found or any(word in query for word in WITHOUT_DATA), query
            watch.wait(lambda: not {"DatumdLosses", "DatumdCameraLosses"} & watch.firing(), LIMIT_S)
        watch.wait(lambda: "DatumdDown" in watch.firing(), LIMIT_S)
        with running(station, port, line.environment):
            watch.wait(lambda: "DatumdDown" not in watch.firing(), LIMIT_S)
    finally:
        line.close()
