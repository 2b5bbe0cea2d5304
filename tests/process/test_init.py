"""`datumd init`: what it writes passes `datumd check` and runs, and rejects every part until it is taught."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.client import Subscription
from simulator.child import DaemonProcess
from tests.stations import Heard, hear


def test_a_folder_of_pictures_becomes_a_station_that_runs(
    tmp_path: Path, station_name: str, free_port: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    shots = tmp_path / "shots 'of' a \"part\""
    shots.mkdir()
    for number, size in enumerate([(80, 120), (96, 100)]):
        picture = np.full((*size, 3), (40, 90, 160), np.uint8)
        cv2.imwrite(str(shots / f"{number}.png"), picture)
    folder = tmp_path / station_name
    assert main(["init", str(folder), "--images", str(shots), "--part", "cap"]) == 0
    station = folder / "station.toml"
    assert f"datumd check {station}" in capsys.readouterr().out
    text = station.read_text().replace("rate_hz = 1.0", "rate_hz = 20.0").replace("[web]", "[metrics.x]")
    for port in ("5570", "9570"):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    text = re.sub(r"(?ms)^\[metrics\.x\].*?(?=^# \[plc)", "", text)  # its own tests look at the page
    station.write_text(text)
    assert main(["check", str(station)]) == 0
    checked = capsys.readouterr().out
    assert "120 x 96 BGR8" in checked
    assert "recipe cap: cap, number 1" in checked
    heard = Heard()
    daemon = DaemonProcess(station, {})
    try:
        endpoint = re.search(r'bind = "(tcp://[^"]+)"', text)
        assert endpoint
        with Subscription(endpoint[1], station_name) as subscription:
            daemon.wait_until_ready(subscription, lambda: False)
            hear(subscription, heard, triggers=3, quiet_s=0.0)
    finally:
        daemon.close()
    assert {result.disposition.value for result in heard.results} == {"REJECT"}
    assert {(reason.code, reason.name) for result in heard.results for reason in result.reasons} == {
        ("unsure", "untaught")
    }
    assert {keypoint.x for result in heard.results for keypoint in result.keypoints if keypoint.name == "middle"} == {
        59.5
    }
