"""A real Prometheus scrapes a real daemon: every rule and every panel asks for what there is, and an alert fires and clears."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from simulator.child import LineProcess
from simulator.producer import cti_path
from tests.recipes import make_recipe
from tests.stations import running, simulated_camera, write_station

MONITORING = Path(__file__).parents[2] / "monitoring"
LIMIT_S = 60.0
SHORTER = 30  # 5m of a rule become 10 s, 30s become 1 s
WITHOUT_DATA = ("offset",)  # annotations of a change: there was none

pytestmark = [pytest.mark.time_limit_s(180), pytest.mark.needs_debian("prometheus", program="prometheus")]


class Prometheus:
    """A real one, with this repository's rules, their times shortened."""

    def __init__(self, folder: Path, port: int, metrics_port: int) -> None:
        self.port = port
        shutil.copytree(MONITORING / "rules", folder / "rules")
        for path in (folder / "rules").glob("*.yml"):
            path.write_text(re.sub(r"(?<![\w:])(\d+)([smhd])\b", _shorter, path.read_text()))
        config = (MONITORING / "prometheus.yml").read_text()
        config = config.replace("_interval: 5s", "_interval: 500ms").replace(
            "127.0.0.1:9570", f"127.0.0.1:{metrics_port}"
        )
        (folder / "prometheus.yml").write_text(config)
        with (folder / "words").open("w") as words:
            self.child = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=words,
                stderr=words,
            )

    def get(self, path: str, **words: str) -> Any:  # noqa: ANN401 - JSON
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(words)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        return list(self.get("query", query=expression)["result"])

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def wait(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            try:
                if is_so():
                    return
            except URLError:  # it is not up yet
                pass
            time.sleep(0.2)
        raise AssertionError(f"not so after {LIMIT_S} s; {self.get('alerts')}")

    def close(self) -> None:
        self.child.terminate()
        self.child.wait(20)


def _shorter(found: re.Match[str]) -> str:
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    return f"{max(500, seconds * 1000 // SHORTER)}ms"


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
            watch.wait(lambda: bool(watch.query("datumd_ready == 1")))
            line.go()
            watch.wait(lambda: {"DatumdLosses", "DatumdCameraLosses"} <= watch.firing())
            assert_rules_are_well_and_their_series_exist(watch, tmp_path)
            for query in panel_queries():
                found = watch.query(query)
                assert found or any(word in query for word in WITHOUT_DATA), query
            watch.wait(lambda: not {"DatumdLosses", "DatumdCameraLosses"} & watch.firing())
        watch.wait(lambda: "DatumdDown" in watch.firing())
        with running(station, port, line.environment):
            watch.wait(lambda: "DatumdDown" not in watch.firing())
    finally:
        line.close()
