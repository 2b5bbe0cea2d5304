"""The whole daemon with real processes: every trigger is answered exactly once, whatever the cameras do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import cv2
import pytest

from pipeline.client import Subscription
from pipeline.result import Evaluation, Result, ResultState
from pipeline.status import Status
from simulator.child import DaemonProcess, LineProcess
from simulator.producer import cti_path
from tests.recipes import frame_with_part, make_recipe
from tests.stations import Heard, hear, hear_until, running, simulated_camera, write_station
from tests.unit.pipeline.camera.viky import viky_path

PARTS = 30
ALL_READY = "STATUS=Ready: all processes ready"

pytestmark = pytest.mark.time_limit_s(180)


class Bench:
    """A folder for one station, and ports of its own."""

    def __init__(self, folder: Path, name: str, port: int, metrics_port: int) -> None:
        self.folder, self.name, self.port, self.metrics_port = folder, name, port, metrics_port

    def station(self, rest: str) -> Path:
        return write_station(self.folder, self.name, self.folder / "recipes", self.port, self.metrics_port, rest)


@pytest.fixture
def bench(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Bench:
    return Bench(run_dir, station_name, free_port(), free_port())


@pytest.fixture
def line(bench: Bench) -> Iterator[Callable[..., LineProcess]]:
    lines: list[LineProcess] = []

    def start(*options: str) -> LineProcess:
        lines.append(LineProcess(bench.folder, ["--source", "pattern", *options]))
        return lines[-1]

    yield start
    for entry in lines:
        entry.close()


def edges_of(line: LineProcess) -> set[int]:
    """Trigger numbers of the line's own log."""
    return {edge.trigger_number for edge in line.log().edges}


def assert_each_answered_once(line: LineProcess, heard: Heard) -> None:
    answered = heard.triggers()
    assert set(answered) == edges_of(line)
    assert set(answered.values()) == {1}


def workers_of(daemon: DaemonProcess) -> dict[str, int]:
    """Name of each worker of this daemon, and its process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "--standby" in words:
            continue
        if "worker" in words and words[words.index("--parent") + 1] == str(daemon.pid):
            found[words[words.index("worker") + 1]] = int(folder.name)
    return found


def restarts_of(name: str, status: Status) -> int:
    return next(process.restarts for process in status.processes if process.name == name)


def warmed_of(name: str, status: Status) -> int:
    return next(process.warmed for process in status.processes if process.name == name)


def test_every_trigger_of_the_line_is_answered_once_whatever_goes_wrong(
    bench: Bench, line: Callable[..., LineProcess]
) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    faults = ["incomplete:at=3", "drop:at=6", "ignored_edge:at=9", "extra_edge:at=12", "last_edge_lost"]
    options = [word for fault in faults for word in ("--fault", fault)]
    cameras = line("--triggers", str(PARTS), "--rate-hz", "30", *options)
    station = bench.station(simulated_camera("top", 0, cti_path()) + "[part]\ndeadline_ms = 400\n")
    heard = Heard()
    with running(station, bench.port, cameras.environment) as (_, subscription):
        cameras.go()
        hear(subscription, heard, triggers=PARTS + 1)
        with urlopen(f"http://127.0.0.1:{bench.metrics_port}/metrics", timeout=5) as page:
            metrics = page.read().decode()
        with urlopen(f"http://127.0.0.1:{bench.metrics_port}/healthz/ready", timeout=5) as page:
            assert page.status == 200
    assert_each_answered_once(cameras, heard)
    reasons = heard.reasons()
    assert reasons[3] == {"incomplete"}
    assert all("lost_transport" in reasons[number] for number in (6, 9, PARTS + 1))
    lost = [result for result in heard.results if result.result_state is ResultState.FAILED]
    assert all(result.result_evaluation is Evaluation.UNDEFINED for result in lost)
    seqs = [result.seq for result in heard.results]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert 'datumd_losses_total{reason="incomplete"} 1.0' in metrics


ALLOWED = os.sched_getaffinity(0)
KEPT = {max(ALLOWED)} if len(ALLOWED) > 1 else set()
TOGETHER = f"[infer]\nbatch = 2\nkeep_warm_ms = 20\ncpus = {sorted(KEPT)}\n"


@pytest.mark.parametrize("infer", ["", TOGETHER], ids=["", "together, warm and alone on a processor"])
def test_two_views_make_one_result_and_a_missing_view_none_at_all(
    bench: Bench, line: Callable[..., LineProcess], infer: str
) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top", "side"])
    cameras = line("--devices", "2", "--triggers", str(PARTS), "--rate-hz", "12", "--fault", "drop:device=1:at=5")
    rest = (
        simulated_camera("a", 0, cti_path())
        + 'view = "top"\n'
        + simulated_camera("b", 1, cti_path())
        + 'view = "side"\n'
        + infer
    )
    heard = Heard()
    with running(bench.station(rest), bench.port, cameras.environment) as (daemon, subscription):
        cameras.go()
        hear(subscription, heard, triggers=PARTS)
        hear_until(subscription, heard, lambda status: (warmed_of("infer.0", status) > 0) == bool(infer))
        cpus = {name: os.sched_getaffinity(pid) for name, pid in workers_of(daemon).items()}
        patient = {name for name, pid in workers_of(daemon).items() if os.sched_getscheduler(pid) == os.SCHED_BATCH}
    assert patient == {"evidence", "metrics"}  # no answer waits for them
    kept = KEPT if infer else set()
    assert cpus == {name: (kept or ALLOWED) if name == "infer.0" else ALLOWED - kept for name in cpus}
    assert_each_answered_once(cameras, heard)
    whole = [result for result in heard.results if result.result_state is ResultState.COMPLETED]
    assert len(whole) == PARTS - 1
    assert all({view.view for view in result.views} == {"top", "side"} for result in whole)
    assert all({keypoint.view for keypoint in result.keypoints} == {"top", "side"} for result in whole)
    (broken,) = (result for result in heard.results if result.trigger_number == 5)
    assert [(reason.code, reason.view) for reason in broken.reasons] == [("lost_transport", "side")]


@pytest.mark.parametrize("victim", ["grab.top", "infer.0"])
def test_a_killed_worker_comes_back_and_its_triggers_are_answered(
    bench: Bench, line: Callable[..., LineProcess], victim: str
) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    cameras = line("--triggers", "100", "--rate-hz", "20")
    station = bench.station(simulated_camera("top", 0, cti_path()))
    heard = Heard()
    with running(station, bench.port, cameras.environment) as (daemon, subscription):
        cameras.go()
        hear(subscription, heard, triggers=20, quiet_s=0.0)
        os.kill(workers_of(daemon)[victim], signal.SIGKILL)
        hear(subscription, heard, triggers=100)
    assert_each_answered_once(cameras, heard)
    last = heard.results[-10:]
    assert all(result.result_state is ResultState.COMPLETED for result in last)


def test_a_worker_that_stands_still_is_killed_and_replaced(bench: Bench, line: Callable[..., LineProcess]) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    cameras = line("--triggers", "120", "--rate-hz", "20")
    station = bench.station(simulated_camera("top", 0, cti_path()))
    heard = Heard()
    with running(station, bench.port, cameras.environment) as (daemon, subscription):
        cameras.go()
        hear(subscription, heard, triggers=10, quiet_s=0.0)
        os.kill(workers_of(daemon)["infer.0"], signal.SIGSTOP)
        hear(subscription, heard, triggers=120)
    assert_each_answered_once(cameras, heard)
    assert heard.results[-1].result_state is ResultState.COMPLETED


def test_when_the_supervisor_dies_nobody_stays(bench: Bench, line: Callable[..., LineProcess]) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    cameras = line("--rate-hz", "20")
    station = bench.station(simulated_camera("top", 0, cti_path()))
    with running(station, bench.port, cameras.environment) as (daemon, _):
        workers = workers_of(daemon)
        assert set(workers) == {"ledger", "requests", "evidence", "metrics", "infer.0", "grab.top"}
        os.kill(daemon.pid, signal.SIGKILL)
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers.values()):
            assert time.monotonic() < until
            time.sleep(0.05)
    with running(station, bench.port, cameras.environment):  # the ring that was left is taken over
        pass


def test_three_cameras_of_the_official_virtual_producer_are_accounted_for_by_frames(bench: Bench) -> None:
    names = ["a", "b", "c"]
    make_recipe(bench.folder / "recipes" / "part", names, region=(0, 0, 64, 64))
    rest = '[part]\njoin = "frame"\ndeadline_ms = 5000\n[infer]\nworkers = 1\n'
    for name, serial in zip(names, "012", strict=True):
        rest += f'[camera.{name}]\nproducer = "{viky_path()}"\nserial = "{serial}"\n'
    heard = Heard()
    with running(bench.station(rest), bench.port) as (daemon, subscription):
        hear(subscription, heard, triggers=60, quiet_s=0.0)
        daemon.close()
        while (message := subscription.receive(1.0)) is not None:
            if isinstance(message, Result):
                heard.results.append(message)
            elif isinstance(message, Status):
                heard.status = message
        assert subscription.missed == 0
    assert heard.status is not None
    frames = {camera.camera: camera.frames + sum(camera.losses.values()) for camera in heard.status.cameras}
    assert all(count >= 3 for count in frames.values())
    assert heard.status.open_parts == 0
    assert sum(heard.status.results.values()) == heard.status.triggers == sum(frames.values())
    assert {camera.triggers for camera in heard.status.cameras} == {"unverified"}
    seen = [(result.views[0].camera, result.views[0].frame_id) for result in heard.results if result.views]
    assert len(seen) == len(set(seen))


def test_systemd_is_told_of_readiness_and_progress(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    station = bench.station('[camera.top]\ntype = "synthetic"\nframes = "tests.pictures:plain"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(bench.folder / "notify"))
        systemd.settimeout(10)
        heard: list[str] = []
        with running(station, bench.port, {"NOTIFY_SOCKET": str(bench.folder / "notify")}):
            # Nobody read until here, as when systemd is busy: what did not fit was tried again.
            while heard.count("WATCHDOG=1") < 20 or not any(text.startswith(ALL_READY) for text in heard):
                heard.append(systemd.recv(4096).decode())
        while heard[-1] != "STOPPING=1":
            heard.append(systemd.recv(4096).decode())
    ready = heard.index("READY=1")
    assert any(text.startswith("STATUS=Starting: ") for text in heard[:ready])
    assert any(text.startswith(ALL_READY) for text in heard[ready:])
    assert heard.count("READY=1") == 1


def test_a_second_daemon_of_the_same_name_is_refused_in_one_line(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    station = bench.station('[camera.top]\ntype = "synthetic"\nframes = "tests.pictures:plain"\n')
    with running(station, bench.port):
        twin = subprocess.run(
            [sys.executable, "-m", "pipeline", "run", str(station)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert twin.returncode == 2
    assert twin.stderr.count("\n") == 1
    assert "another datumd of this station is running" in twin.stderr


def test_a_folder_that_has_been_played_and_a_worker_that_was_replaced_show_in_the_status(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    (bench.folder / "images").mkdir()
    for number in range(5):
        cv2.imwrite(str(bench.folder / "images" / f"{number}.png"), frame_with_part())
    camera = f'[camera.top]\ntype = "folder"\npath = "{bench.folder / "images"}"\n[ring]\npolicy = "wait"\n'
    heard = Heard()
    with running(bench.station(camera + "[part]\ndeadline_ms = 10000\n"), bench.port) as (daemon, subscription):
        hear_until(subscription, heard, lambda status: sum(status.results.values()) == 5)
        os.kill(workers_of(daemon)["infer.0"], signal.SIGKILL)
        hear_until(subscription, heard, lambda status: restarts_of("infer.0", status) == 1)
        hear_until(subscription, heard, lambda status: status.state == "ContinuousExecution")
    assert heard.status is not None
    assert heard.status.triggers == 5
    assert heard.status.cameras[0].text.endswith("no more frames")


SYNTHETIC = '[camera.top]\ntype = "synthetic"\nframes = "tests.pictures:plain"\n'


def test_a_camera_that_hangs_does_not_keep_the_ledger_from_its_last_answers(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top", "side"])
    rest = (
        SYNTHETIC + '[camera.side]\ntype = "synthetic"\nframes = "tests.pictures:hanging"\n[part]\ndeadline_ms = 9000\n'
    )
    heard = Heard()
    with running(bench.station(rest), bench.port) as (daemon, subscription):
        hear_until(subscription, heard, lambda status: status.triggers >= 15 and status.open_parts > 5)
        daemon.close()
        hear_until(subscription, heard, lambda status: status.state == "Halted")
    assert heard.status is not None
    assert heard.status.open_parts == 0
    assert sum(heard.status.results.values()) == heard.status.triggers


def test_a_daemon_whose_files_are_removed_says_so_and_ends(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    with running(bench.station(SYNTHETIC), bench.port) as (daemon, _):
        ring = Path("/dev/shm") / f"datumd-{bench.name}.ring"  # noqa: S108 - where it is
        ring.unlink()
        os.kill(workers_of(daemon)["infer.0"], signal.SIGKILL)
        until = time.monotonic() + 20
        while daemon.is_running and time.monotonic() < until:
            time.sleep(0.05)
        assert daemon.close() == 1
    assert daemon.words().splitlines()[-1] == f"datumd: {ring}: was removed while the daemon ran; next: start it again"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_daemon_ends_in_order_with_its_terminal_or_its_parent(bench: Bench, number: signal.Signals) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    program = (
        "import sys, time; from pathlib import Path; from simulator.child import DaemonProcess\n"
        "print(DaemonProcess(Path(sys.argv[1]), {}).pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(bench.station(SYNTHETIC))]
    subscription = Subscription(f"tcp://127.0.0.1:{bench.port}")
    with subscription, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        hear_until(subscription, Heard(), lambda status: status.state == "ContinuousExecution")
        os.kill(parent.pid if number == signal.SIGKILL else pid, number)
        hear_until(subscription, Heard(), lambda status: status.state == "Halted")
        parent.kill()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not list(Path("/dev/shm").glob(f"datumd-{bench.name}*"))  # noqa: S108 - where they were


def test_a_machine_that_stood_still_is_no_reason_to_kill_anybody(bench: Bench) -> None:
    make_recipe(bench.folder / "recipes" / "part", ["top"])
    heard = Heard()
    with running(bench.station(SYNTHETIC), bench.port) as (daemon, subscription):
        pids = [daemon.pid, *workers_of(daemon).values()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3.0)  # longer than a worker may make no progress
        os.kill(daemon.pid, signal.SIGCONT)  # the supervisor first: it sees nobody's progress
        time.sleep(0.5)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        hear(subscription, heard, triggers=10, quiet_s=0.0)
        hear_until(subscription, heard, lambda status: status.state == "ContinuousExecution")
    assert heard.status is not None
    assert {process.restarts for process in heard.status.processes} == {0}
