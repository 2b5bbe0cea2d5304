"""Faults of cameras, of processes and of clients: a station on the simulated line."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import zmq

from benchmarks.alerts.fault import Fault
from benchmarks.alerts.scene import ARCHIVE, LINE_CAMERA, Scene, Stage
from benchmarks.alerts.station import RunningStation, running_station
from benchmarks.chaos.scene import NETWORK_WH, REGION, write_pictures
from benchmarks.dots.recipes import make_recipe
from pipeline.client import Subscription
from pipeline.result import Result
from simulator.child import LineProcess
from simulator.producer import cti_path

RATE_HZ = 10.0
DEADLINE_MS = 5000
PART = f"[part]\ndeadline_ms = {DEADLINE_MS}\n[ring]\nslot_mb = 0.1\nqueue_depth = 16\n"
STILL_S, RUN_S = 0.8, 0.3
RESTARTS = 4
FLOOD_HZ = 250.0
FLOOD = 16_000  # results: more than ZeroMQ keeps for a subscriber (10,000) and TCP takes beside
SILENCE_S = 10.0


@contextmanager
def line_station(
    folder: Path, rate_hz: float, state: Path, rest: str = "", quota_gb: float = 1.0
) -> Iterator[tuple[LineProcess, RunningStation]]:
    """A daemon that inspects small pictures of dots, which takes next to no time; it is ready, the line stands still."""
    make_recipe(
        folder / "recipes" / "dots", ["top"], region=REGION, small_wh=NETWORK_WH, large_wh=NETWORK_WH, rest=rest
    )
    write_pictures(folder / "pictures")
    with ExitStack() as stack:
        line = LineProcess(folder, ["--rate-hz", f"{rate_hz:g}", "--source", str(folder / "pictures")])
        stack.callback(line.close)
        tables = PART + ARCHIVE.format(folder=state, quota_gb=quota_gb) + LINE_CAMERA.format(producer=cti_path())
        station = stack.enter_context(running_station(folder, tables, folder / "recipes", line.environment))
        station.wait()
        yield line, station


@contextmanager
def _line(folder: Path) -> Iterator[Stage]:
    with line_station(folder, RATE_HZ, folder / "state") as (line, station):
        line.go()
        yield Stage(station, [*_camera_faults(line), *_process_faults(station)])


def _camera_faults(line: LineProcess) -> list[Fault]:
    return [
        Fault(
            "every frame comes without its second half",
            ["DatumdCameraLosses", "DatumdLosses", "DatumdManyLosses"],
            lambda: line.fault("incomplete"),
            line.mend,
        ),
        Fault(
            "the camera counts the edges and exposes none",
            ["DatumdCameraSilent", "DatumdNoResults"],
            lambda: line.fault("ignored_edge"),
            line.mend,
        ),
        Fault(
            "the camera is off the bus",
            ["DatumdCameraDown", "DatumdNotReady"],
            lambda: line.fault("lose_device:seconds=1"),
            line.mend,
        ),
        Fault("the belt stands still", ["DatumdNoTriggers"], line.pause, line.go),
    ]


def _process_faults(station: RunningStation) -> list[Fault]:
    return [
        Fault(
            f"the inspecting process stands still (SIGSTOP) for {STILL_S:g} s of each {STILL_S + RUN_S:g} s",
            ["DatumdLatency"],
            _nothing,
            _nothing,
            lambda: station.hold_up("infer.0", STILL_S, RUN_S),
        ),
        Fault(
            "the inspecting process stands still (SIGSTOP), and with it who would start it again",
            ["DatumdDeadlineMisses"],
            lambda: station.stop("supervisor", "infer.0"),
            station.resume,
        ),
        Fault("a client sends what is no request", ["DatumdRefusedMessages"], lambda: _send_junk(station), _nothing),
        Fault(
            f"kill -9 of the inspecting process, {RESTARTS} times",
            ["DatumdProcessRestarts"],
            lambda: _kill_again_and_again(station),
            _nothing,
        ),
        Fault(
            "the ledger stands still (SIGSTOP), and with it who would start it again",
            ["DatumdSilent"],
            lambda: station.stop("supervisor", "ledger"),
            station.resume,
        ),
        Fault(
            "kill -9 of the daemon; it is started again",
            ["DatumdDown"],
            lambda: station.kill("supervisor"),
            station.start_again,
        ),
    ]


def _nothing() -> None:
    pass


def _send_junk(station: RunningStation) -> None:
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.DEALER) as client:
        client.linger = 1000
        client.connect(station.control)
        client.send(b"GET / HTTP/1.1")


def _kill_again_and_again(station: RunningStation) -> None:
    for _ in range(RESTARTS):
        killed = station.pid("infer.0")
        station.kill("infer.0")
        while station.pid("infer.0") == killed:
            time.sleep(0.05)


@contextmanager
def _flood(folder: Path) -> Iterator[Stage]:
    with line_station(folder, FLOOD_HZ, folder / "state") as (line, station):
        line.go()
        fault = Fault(
            f"the metrics stand still (SIGSTOP, and with them who would start them again) while {FLOOD} results pass",
            ["DatumdMissedResults"],
            lambda: _let_pass(station),
            _nothing,
        )
        yield Stage(station, [fault])


def _let_pass(station: RunningStation) -> None:
    """The supervisor is the last to go on: it would kill who has stood still."""
    with Subscription(f"tcp://127.0.0.1:{station.ports.results}", station.name, replay=False) as subscription:
        station.stop("supervisor", "metrics")
        passed = 0
        while passed < FLOOD:
            message = subscription.receive(SILENCE_S)
            if message is None:
                raise RuntimeError(f"nothing heard for {SILENCE_S:g} s")
            passed += isinstance(message, Result)
    station.resume()


LINE = Scene(
    "line",
    (
        "DatumdCameraLosses",
        "DatumdLosses",
        "DatumdManyLosses",
        "DatumdCameraSilent",
        "DatumdNoResults",
        "DatumdDeadlineMisses",
        "DatumdCameraDown",
        "DatumdNotReady",
        "DatumdNoTriggers",
        "DatumdLatency",
        "DatumdRefusedMessages",
        "DatumdProcessRestarts",
        "DatumdSilent",
        "DatumdDown",
    ),
    _line,
    rest_s=60.0,
)
FLOODED = Scene(
    "flood",
    ("DatumdMissedResults",),
    _flood,
    by_load=("DatumdCameraLosses", "DatumdLosses", "DatumdManyLosses", "DatumdLatency", "DatumdImagesLost"),
)
