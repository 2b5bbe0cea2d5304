import importlib.util
import json
import math
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import Figure, Measured


def measured(value: float) -> Measured:
    figures = [Figure("frame_path_over_must", value), Figure("ring_over_queue", 0.5)]
    return Measured("a title", ("name", "value"), [("a", 1234.6), ("bb", 0.12345)], figures)


def test_within_budget_ends_with_the_line_of_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert report.main("ring", lambda _quick: measured(1.25), ["--quick", "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a title"
    assert lines[2:6] == ["name   value", "----  ------", "a       1235", "bb    0.1235"]
    assert lines[-1] == "ring: frame_path_over_must 1.25, ring_over_queue 0.5"
    assert json.loads(file.read_text())["figures"] == {"frame_path_over_must": 1.25, "ring_over_queue": 0.5}


def test_outside_budget_exits_1_and_names_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main("ring", lambda _quick: measured(1.75), []) == 1
    assert "frame_path_over_must_max = 1.5: frame_path_over_must is 1.75" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("figures", "bars"),
    [
        ({}, {"a_us_max": 1.0}),
        ({"a_us": math.nan}, {"a_us_max": 1.0}),
        ({"a_us": 2.0}, {"a_us_max": 1.0}),
        ({"a_us": 0.5}, {"a_us_min": 1.0}),
    ],
)
def test_a_missing_or_undefined_figure_is_outside_its_budget(figures: dict[str, float], bars: dict[str, float]) -> None:
    assert len(report.faults_of(figures, bars)) == 1


def test_a_key_that_is_no_bar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "budgets.toml").write_text("[pipeline]\ndaemon_over_bare_loop = 0.9\n")
    with pytest.raises(ValueError, match="daemon_over_bare_loop: a bar ends in _min or _max"):
        report.budgets_of("pipeline", tmp_path / "budgets.toml")


def test_every_section_of_the_budgets_is_a_benchmark() -> None:
    import tomllib

    sections = tomllib.loads(report.BUDGETS.read_text())
    missing = [name for name in sections if importlib.util.find_spec(f"benchmarks.{name}") is None]
    assert not missing
