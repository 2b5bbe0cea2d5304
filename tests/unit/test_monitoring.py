"""monitoring/: rules that Prometheus' own tools accept, alerts that fire and clear, panels that ask for what there is."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.sinks.figures import Figures
from tests.results import RESULT
from tests.unit.pipeline.sinks.test_figures import status

MONITORING = Path(__file__).parents[2] / "monitoring"
RULES = sorted(MONITORING.glob("rules/*.yml"))
TESTS = sorted(MONITORING.glob("tests/*.yml"))
DASHBOARD = json.loads((MONITORING / "grafana/dashboards/station.json").read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """Every expression of the rules, of the panels and of the annotations."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + panels + [note["expr"] for note in DASHBOARD["annotations"]["list"]]


def test_what_is_asked_for_is_on_the_page_or_recorded() -> None:
    figures = Figures()
    figures.observe(RESULT)
    figures.observe(status())
    known = set(re.findall(r"^(\w+)[ {]", figures.page().decode(), flags=re.MULTILINE))
    known |= {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for query in queries() for name in re.findall(r"[\w:]*datumd_[\w:]+", query)}
    assert asked - known - {"datumd_state"} == set()


def test_every_alert_is_seen_to_fire_and_to_clear() -> None:
    seen: dict[str, list[bool]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for check in test["alert_rule_test"]:
                seen.setdefault(check["alertname"], []).append(bool(check.get("exp_alerts")))
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert {name for name, fires in seen.items() if True in fires and not fires[0] and not fires[-1]} == alerts


def test_alerts_say_what_to_do_and_how_urgent_it_is() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
            assert set(rule["annotations"]) == {"summary", "next"}, rule["alert"]


def test_operators_are_told_of_each_alert_what_it_means_and_what_to_do() -> None:
    text = (MONITORING.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Datumd\w+)` \| (.+?) \| (.+) \|$", text, flags=re.MULTILINE)
    assert [name for name, _, _ in rows] == [rule["alert"] for rule in rules() if "alert" in rule]
    assert all(len(means) > 20 and len(todo) > 20 for _, means, todo in rows)


def test_panels_have_numbers_of_their_own_and_do_not_lie_on_each_other() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(covered)) == len(covered)
    assert max(x for x, _ in covered) < 24


def test_the_dashboard_is_of_the_published_schema() -> None:
    """What kinds/dashboard of Grafana's sources asks of the classic model, and what its Prometheus plug-in reads."""
    assert 36 <= DASHBOARD["schemaVersion"] <= 42
    assert 8 <= len(DASHBOARD["uid"]) <= 40
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert {name: each["type"] for name, each in variables.items()} == {"datasource": "datasource", "instance": "query"}
    assert all(each["hide"] == 0 for each in variables.values())
    panels, notes = DASHBOARD["panels"], DASHBOARD["annotations"]["list"]
    targets = [target for panel in panels for target in panel["targets"]]
    assert {json.dumps(each["datasource"]) for each in (*panels, *targets, *notes, variables["instance"])} == {
        json.dumps({"type": "prometheus", "uid": "${datasource}"})
    }
    assert {panel["type"] for panel in panels} <= {"stat", "table", "timeseries"}
    assert all(
        target["format"] == "table" for panel in panels if panel["type"] == "table" for target in panel["targets"]
    )
    assert all(target.get("instant", False) is not target["range"] for target in targets)
    for panel in panels:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {"steps": [{"value": None}]})["steps"]
        assert steps[0]["value"] is None  # the first is from minus infinity on
    for note in notes:  # newer releases read the target, older ones what stands beside it
        assert {"name", "enable", "iconColor"} <= note.keys()
        assert (note["target"]["expr"], note["target"]["interval"]) == (note["expr"], note["step"])


@pytest.mark.needs_debian("prometheus", program="promtool")
@pytest.mark.parametrize(
    "words",
    [["check", "config", MONITORING / "prometheus.yml"], *(["test", "rules", path] for path in TESTS)],
    ids=lambda words: Path(words[-1]).stem,
)
def test_promtool_finds_nothing(words: list[str | Path]) -> None:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
