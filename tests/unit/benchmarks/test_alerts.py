"""The fault run of the alerts: every alert has a fault, and times of rules are divided alike."""

from collections import Counter

import pytest
import yaml

from benchmarks.alerts.__main__ import SCENES, alerts, main, text, verdict
from benchmarks.alerts.fault import Shown
from benchmarks.alerts.prometheus import MONITORING, shortened


def test_every_alert_of_the_rules_has_a_fault_in_one_scene() -> None:
    assert Counter(alert for scene in SCENES for alert in scene.alerts) == Counter(alerts())


@pytest.mark.parametrize(
    ("rule", "divided"),
    [
        ("rate(a_total[5m]) > 2", "rate(a_total[10000ms]) > 2"),
        ("a:deriv3h * 3600 > 20e6", "a:deriv3h * 120 > 20e6"),
        ("rate(a[1d] offset 1h)", "rate(a[2880000ms] offset 120000ms)"),
        ("predict_linear(a[6h], 4 * 3600) < 0", "predict_linear(a[720000ms], 4 * 120) < 0"),
        ("for: 5s", "for: 500ms"),  # never less than from one scrape to the next
        ("node_filesystem: ext4", "node_filesystem: ext4"),
    ],
)
def test_times_of_rules_are_divided_and_nothing_else(rule: str, divided: str) -> None:
    assert shortened(rule, 30) == divided


def test_divided_rules_are_the_same_rules() -> None:
    for path in (MONITORING / "rules").glob("*.yml"):
        whole, divided = (yaml.safe_load(words) for words in (path.read_text(), shortened(path.read_text(), 30)))
        names = [
            [rule.get("alert", rule.get("record")) for group in each["groups"] for rule in group["rules"]]
            for each in (whole, divided)
        ]
        assert names[0] == names[1]


def test_a_run_is_good_where_all_that_was_asked_for_fired_and_cleared() -> None:
    good = Shown("DatumdDown", "kill", 1.0, 2.0)
    assert verdict([good], {"DatumdDown"}) == 0
    assert verdict([good], {"DatumdDown", "DatumdSilent"}) == 1
    assert verdict([good, Shown("DatumdSilent", "stop", 1.0, None, "did not clear")], {"DatumdDown"}) == 1
    assert text([good]).splitlines()[2].split() == ["DatumdDown", "kill", "1.0", "2.0", "fired", "and", "cleared"]


def test_an_alert_that_is_none_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "DatumdNoSuch"])
    assert "DatumdNoSuch" in capsys.readouterr().err
