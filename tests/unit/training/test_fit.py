import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DataError
from training.fit import Schedule, fit, learning_rate


@dataclass(frozen=True)
class Line:
    """Fits y = 2x + 1; from step ``stops`` on, the batch cannot be made: the run dies there."""

    stops: int = 10**9
    spoilt: bool = False
    name: str = "line"

    def batch(self, step: int) -> Mapping[str, np.ndarray]:
        if step >= self.stops:
            raise KeyboardInterrupt
        x = np.random.default_rng(step).normal(size=(16, 1)).astype(np.float32)
        return {"x": x, "y": 2 * x + (np.nan if self.spoilt else 1)}

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        with torch.autocast("cpu", enabled=False):
            return {"position": (network(batch["x"]) - batch["y"]).square().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {"mean_px": abs(float(network(torch.ones(1, 1)).detach()) - 3.0)}


SCHEDULE = Schedule(200, 0.05, 0.0, report_every=25, validate_every=100, save_every_s=0.02, warm_up=10, average=0.9)


def network() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def test_it_learns_reports_and_measures(tmp_path: Path) -> None:
    lines: list[str] = []
    trained, state = fit(Line(), network(), SCHEDULE, {}, tmp_path / "c", resume=False, report=lines.append)
    assert trained.weight.item() == pytest.approx(2.0, abs=1e-2)
    assert trained.bias.item() == pytest.approx(1.0, abs=1e-2)
    assert [row["step"] for row in state.history] == [25, 50, 75, 100, 125, 150, 175, 200]
    assert [row["step"] for row in state.history if "mean_px" in row] == [100, 200]
    assert state.history[-1]["position"] < state.history[0]["position"] / 10
    assert lines[-1].startswith("line 200/200  position ")


def test_slow_steps_are_told_before_the_first_report(tmp_path: Path) -> None:
    lines: list[str] = []
    slow = replace(SCHEDULE, steps=6, silent_s=0.0)
    _, state = fit(Line(), network(), slow, {}, tmp_path / "c", resume=False, report=lines.append)
    assert [line.split("  ")[0] for line in lines] == [f"line {step}/6" for step in range(1, 7)]
    assert "position" not in lines[0]
    assert " ms a step  " in lines[0]
    assert [row["step"] for row in state.history] == [6]


def test_a_run_that_died_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole, _ = fit(Line(), network(), SCHEDULE, {"a": 1}, tmp_path / "whole", resume=False, report=lambda _: None)
    path = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        fit(Line(stops=173), network(), SCHEDULE, {"a": 1}, path, resume=False, report=lambda _: None)
    lines: list[str] = []
    resumed, state = fit(Line(), nn.Linear(1, 1), SCHEDULE, {"a": 1}, path, resume=True, report=lines.append)
    assert re.fullmatch(r"line: goes on at step [1-9]\d* of 200", lines[0])
    assert torch.equal(resumed.weight, whole.weight)
    assert torch.equal(resumed.bias, whole.bias)
    assert state.step == 200


def deep_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 64), nn.Linear(64, 64), nn.Linear(64, 1))


def test_wide_matrices_learn_by_muon_and_go_on_where_they_were(tmp_path: Path) -> None:
    schedule = Schedule(60, 0.01, 0.0, muon=0.02, report_every=20, save_every_s=0.0, warm_up=5, average=0.9)
    whole, state = fit(Line(), deep_network(), schedule, {}, tmp_path / "whole", resume=False, report=lambda _: None)
    assert state.history[-1]["position"] < state.history[0]["position"] / 10
    wide = deep_network()[1].weight
    change = torch.linalg.svdvals((whole[1].weight - wide).detach())
    assert float(change[2] / change[0]) > 0.2  # of AdamW 0.06: the gradient has hardly more than one direction
    with pytest.raises(KeyboardInterrupt):
        fit(Line(stops=41), deep_network(), schedule, {}, tmp_path / "killed", resume=False, report=lambda _: None)
    resumed, _ = fit(Line(), deep_network(), schedule, {}, tmp_path / "killed", resume=True, report=lambda _: None)
    assert torch.equal(resumed[1].weight, whole[1].weight)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    whole, _ = fit(Line(), network(), SCHEDULE, {}, tmp_path / "c", resume=False, report=lambda _: None)
    again, _ = fit(Line(stops=0), nn.Linear(1, 1), SCHEDULE, {}, tmp_path / "c", resume=True, report=lambda _: None)
    assert torch.equal(again.weight, whole.weight)


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    fit(Line(), network(), SCHEDULE, {"batch": 8}, tmp_path / "c", resume=False, report=lambda _: None)
    with pytest.raises(DataError, match=r"was trained with batch = 8, now it is 9"):
        fit(Line(), network(), SCHEDULE, {"batch": 9}, tmp_path / "c", resume=True, report=lambda _: None)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"PK\x03\x04 no checkpoint")
    with pytest.raises(DataError, match="is no checkpoint of this version"):
        fit(Line(), network(), SCHEDULE, {}, tmp_path / "c", resume=True, report=lambda _: None)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line: the loss is not finite at step 0"):
        fit(Line(spoilt=True), network(), SCHEDULE, {}, tmp_path / "c", resume=False, report=lambda _: None)


def test_the_learning_rate_warms_up_and_ends_near_zero() -> None:
    rates = [learning_rate(step, SCHEDULE) for step in range(200)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.05, rel=1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[-1] < 0.02 * 0.05


@dataclass(frozen=True)
class Seldom(Line):
    """A second loss in one of two steps, always 3."""

    def losses(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        found = super().losses(network, batch)
        return found if batch["x"].sum() > 0 else found | {"other": 3.0 + 0.0 * found["position"]}


def test_a_loss_of_some_steps_is_told_as_the_mean_of_these(tmp_path: Path) -> None:
    _, state = fit(Seldom(), network(), SCHEDULE, {}, tmp_path / "c", resume=False, report=lambda _: None)
    assert all(row["other"] == pytest.approx(3.0) for row in state.history)
