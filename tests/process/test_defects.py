"""A station that looks for keypoints and defects together: real processes, a simulated line, a killed worker."""

import csv
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.cli import main
from pipeline.result import Evaluation, Result, ResultState
from pipeline.status import Status
from simulator.child import DaemonProcess, LineProcess
from simulator.producer import cti_path
from tests.recipes import frame_with_part
from tests.segment_networks import make_defect_recipe, with_defect
from tests.stations import Heard, hear, hear_until, running, simulated_camera, write_station

PARTS = 100
ZONE = '[zone.core]\npolygon = ["a", "b", "d", "c"]\n'

pytestmark = pytest.mark.time_limit_s(180)


def pictures() -> list[NDArray[np.uint8]]:
    """A good part, one with a defect that is allowed, one with a defect in the zone, one without a keypoint, with a defect."""
    good = frame_with_part()
    incomplete = with_defect(good, 20, 120)
    incomplete[160:, 160:] = 10
    return [good, with_defect(good, 20, 120), with_defect(good, 120, 100), incomplete]


@pytest.fixture
def cameras(run_dir: Path) -> Iterator[LineProcess]:
    frames = run_dir / "frames"
    frames.mkdir()
    for number, picture in enumerate(pictures()):
        cv2.imwrite(str(frames / f"{number}.png"), picture)
    options = ["--source", str(frames), "--triggers", str(PARTS), "--rate-hz", "20"]
    line = LineProcess(run_dir, [*options, "--fault", "incomplete:at=7", "--fault", "drop:at=12"])
    yield line
    line.close()


def test_every_trigger_is_answered_once_with_the_defects_of_its_part(
    run_dir: Path, station_name: str, free_port: Callable[[], int], cameras: LineProcess
) -> None:
    segment = 'when = "needed"\nmax_area_px = 200\nmax_count = 2'
    rest = 'must_be_present = ["a", "b", "c", "d"]\nscale_mm_per_px = 0.1'
    make_defect_recipe(run_dir / "recipes" / "part", segment=segment, zones=ZONE, rest=rest)
    port = free_port()
    rest = simulated_camera("top", 0, cti_path()) + "[part]\ndeadline_ms = 1000\n"
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), rest)
    heard = Heard()
    with running(station, port, cameras.environment) as (daemon, subscription):
        cameras.go()
        hear(subscription, heard, triggers=20, quiet_s=0.0)
        os.kill(_infer(daemon), signal.SIGKILL)
        hear(subscription, heard, triggers=30, quiet_s=0.0)
        cameras.pause()
        hear_until(subscription, heard, _is_back)
        cameras.go()
        hear(subscription, heard, triggers=PARTS)
    edges = {edge.trigger_number for edge in cameras.log().edges}
    assert heard.triggers() == dict.fromkeys(edges, 1)
    completed = [result for result in heard.results if result.result_state is ResultState.COMPLETED]
    assert {(result.trigger_number or 0) % 4 for result in completed} == {0, 1, 2, 3}
    assert completed[-1] in heard.results[-20:], "nothing was inspected after the worker had come back"
    for result in completed:
        _check(result)
    _check_files(run_dir, heard)


def _is_back(status: Status) -> bool:
    worker = next(process for process in status.processes if process.name == "infer.0")
    return worker.restarts > 0 and worker.state == "ready"


def _check(result: Result) -> None:
    number = ((result.trigger_number or 0) - 1) % 4
    assert [point.name for point in result.keypoints] == ["a", "b", "c", "d"]
    assert ("segment" in result.stages_ns) is (number != 3)
    boxes, zones = [defect.box for defect in result.defects], [defect.zones for defect in result.defects]
    reasons = [(reason.code, reason.name) for reason in result.reasons]
    expected = [
        (Evaluation.OK, [], [], []),
        (Evaluation.OK, [(20.0, 120.0, 16.0, 8.0)], [[]], []),
        (Evaluation.NOT_OK, [(120.0, 100.0, 16.0, 8.0)], [["core"]], [("defect", "core")]),
        (Evaluation.NOT_OK, [], [], [("hidden", "d")]),
    ]
    assert (result.result_evaluation, boxes, zones, reasons) == expected[number]
    assert all(defect.area_mm2 == pytest.approx(1.28) for defect in result.defects)


def _check_files(run_dir: Path, heard: Heard) -> None:
    """The journal's export and the record beside an image tell of them, too."""
    assert main(["export", str(run_dir / "state"), "--format", "csv", "-o", str(run_dir / "shift.csv")]) == 0
    with (run_dir / "shift.csv").open(newline="") as file:
        rows = {int(row["seq"]): row for row in csv.DictReader(file)}
    for result in heard.results:
        row = rows[result.seq]
        assert row["defects"] == (str(len(result.defects)) if "segment" in result.stages_ns else "")
        assert bool(row["largest_defect_mm2"]) is bool(result.defects)
    records = [path.read_text() for path in (run_dir / "state" / "images").rglob("*.json")]
    assert any('"zones":["core"]' in record.replace(" ", "") for record in records)


def _infer(daemon: DaemonProcess) -> int:
    """Process id of the daemon's worker of inspections."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "infer.0" in words and "--standby" not in words and str(daemon.pid) in words:
            return int(folder.name)
    raise AssertionError("no worker of inspections")
