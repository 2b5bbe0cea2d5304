"""A whole station of two cameras, one of which goes away: every trigger of both is answered once, and it comes back by itself."""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import cv2
import pytest

from pipeline.result import ResultState
from pipeline.status import CameraReport, Status
from simulator.child import LineProcess
from simulator.producer import cti_path
from tests.recipes import frame_with_part, make_recipe
from tests.stations import Heard, hear, hear_until, running, simulated_camera, write_station

pytestmark = pytest.mark.time_limit_s(120)

BOTH = ["top", "side"]


@pytest.fixture
def line(run_dir: Path) -> Iterator[Callable[..., LineProcess]]:
    lines: list[LineProcess] = []

    def start(*faults: str, triggers: int) -> LineProcess:
        make_recipe(run_dir / "recipes" / "part", BOTH)
        (run_dir / "parts").mkdir()
        cv2.imwrite(str(run_dir / "parts" / "1.png"), frame_with_part())
        options = ["--source", str(run_dir / "parts"), "--devices", "2", "--rate-hz", "20", "--triggers", str(triggers)]
        lines.append(LineProcess(run_dir, [*options, *(word for fault in faults for word in ("--fault", fault))]))
        return lines[-1]

    yield start
    for entry in lines:
        entry.close()


@contextmanager
def systemd(address: Path) -> Iterator[list[str]]:
    """What the daemon tells systemd, which reads it at once."""
    told: list[str] = []

    def read() -> None:
        while (text := notify.recv(4096).decode()) != "end":
            told.append(text)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield told
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as us:
                us.sendto(b"end", str(address))
            reader.join()


def side_of(status: Status) -> CameraReport:
    return next(camera for camera in status.cameras if camera.camera == "side")


def is_up(status: Status) -> bool:
    return side_of(status).up


def test_each_camera_for_itself_one_comes_back_as_another_and_then_as_itself(
    run_dir: Path, station_name: str, free_port: Callable[[], int], line: Callable[..., LineProcess]
) -> None:
    faults = ["wrong_size:device=1:at=20:seconds=0.2", "lose_device:device=1:at=70:seconds=0.2"]
    cameras = line(*faults, triggers=240)
    rest = simulated_camera("top", 0, cti_path()) + simulated_camera("side", 1, cti_path())
    port, metrics_port = free_port(), free_port()
    rest += '[part]\njoin = "frame"\ndeadline_ms = 500\n[ring]\nslot_mb = 2\nqueue_depth = 32\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", port, metrics_port, rest)
    heard = Heard()
    with systemd(run_dir / "notify") as told:
        environment = cameras.environment | {"NOTIFY_SOCKET": str(run_dir / "notify")}
        with running(station, port, environment) as (_, subscription):
            cameras.go()
            hear_until(subscription, heard, lambda status: "gives 128x256" in side_of(status).text)
            with urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as page:
                assert 'datumd_camera_up{camera="side"} 0.0' in page.read().decode()
            assert heard.status is not None
            assert heard.status.state == "Error"
            hear_until(subscription, heard, is_up)
            hear(subscription, heard, triggers=480)
    assert any("grab.side error" in text for text in told)
    answered = Counter(result.trigger_number for result in heard.results)
    assert set(answered) == {edge.trigger_number for edge in cameras.log().edges}
    assert set(answered.values()) == {2}  # once for each camera
    seen = {(view.view, result.trigger_number) for result in heard.results for view in result.views}
    assert {number for view, number in seen if view == "top"} == set(range(1, 241))
    side = {number for view, number in seen if view == "side"}
    assert {*range(1, 20), *range(232, 241)} <= side
    lost = {result.trigger_number: result.reasons for result in heard.results if not result.views}
    assert set(lost) == set(range(1, 241)) - side
    assert {reason.code for reasons in lost.values() for reason in reasons} <= {"lost_while_down", "lost_transport"}
    assert {reason.view for reasons in lost.values() for reason in reasons} == {"side"}


def test_two_views_of_one_part_where_one_camera_s_producer_hangs(
    run_dir: Path, station_name: str, free_port: Callable[[], int], line: Callable[..., LineProcess]
) -> None:
    cameras = line(
        "hang:device=1:at=20:seconds=3", "drop:device=0:at=10", "corrupt_number:device=0:at=12", triggers=160
    )
    rest = simulated_camera("top", 0, cti_path()) + simulated_camera("side", 1, cti_path())
    rest += "[part]\ndeadline_ms = 400\n[ring]\nslot_mb = 2\nqueue_depth = 32\n"
    port = free_port()
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), rest)
    heard = Heard()
    with running(station, port, cameras.environment) as (_, subscription):
        cameras.go()
        hear_until(subscription, heard, lambda status: restarts_of("grab.side", status) > 0)
        hear(subscription, heard, triggers=160)
    assert heard.triggers() == Counter(range(1, 161))
    whole = {result.trigger_number for result in heard.results if result.result_state is ResultState.COMPLETED}
    assert {*range(1, 10), 11, *range(13, 20), *range(150, 161)} <= whole
    reasons = [
        (result.trigger_number, reason.code, reason.view) for result in heard.results for reason in result.reasons
    ]
    assert [reason for reason in reasons if reason[2] == "top"] == [
        (10, "lost_transport", "top"),
        (12, "incomplete", "top"),
    ]
    hung = {number: code for number, code, view in reasons if view == "side"}
    assert {25, 40} <= set(hung) <= set(range(20, 150))
    assert set(hung.values()) <= {"view_missing", "lost_while_down", "lost_transport", "lost_buffer"}


def restarts_of(name: str, status: Status) -> int:
    return next(process.restarts for process in status.processes if process.name == name)
