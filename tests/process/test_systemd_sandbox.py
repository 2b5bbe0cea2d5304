"""The daemon under the restrictions of its service, made by hand: it answers, journals and keeps images there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.client import Subscription
from simulator.child import LineProcess
from simulator.producer import LINE_VARIABLE, cti_path
from tests.process.sandbox import system_calls
from tests.recipes import make_recipe
from tests.stations import Heard, hear, hear_until, simulated_camera, write_station

UID = 61_234  # nobody's
PARTS = 12
ROOT = Path(__file__).parents[2]
STOP_LIMIT_S = 30.0

PROBE = """
import os, socket
def tried(what, action):
    try:
        action()
        print(what, "done")
    except OSError as error:
        print(what, os.strerror(error.errno))
tried("uid", lambda: os.setuid(0))
tried("etc", lambda: open("/etc/datumd-probe", "w"))
tried("own", lambda: open(f"{STATE}/datumd-probe", "w"))
tried("shm", lambda: os.unlink(open(f"/dev/shm/{NAME}.probe", "w").name))
tried("chown", lambda: os.chown(f"{STATE}/datumd-probe", 1, 1))
tried("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM))
tried("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
tried("inet", lambda: socket.socket(socket.AF_INET))
tried("swap", lambda: os.sched_getaffinity(0) and os.chroot("/"))
print("homes", os.listdir("/home"))
status = open("/proc/self/status").read()
for key in ("CapBnd", "CapEff", "CapPrm", "NoNewPrivs", "Seccomp", "Uid", "Groups"):
    print(key, *status.partition(f"\\n{key}:")[2].partition("\\n")[0].split())
"""


@pytest.fixture
def sandboxed(run_dir: Path, station_name: str) -> Iterator[Callable[..., list[str]]]:
    """Makes the command line that runs another one under the restrictions."""
    if os.getuid() != 0:
        pytest.skip("only root can make mounts and another user's process: run this test as root")
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace can be made here: {probe.stderr.strip()}")
    run_dir.chmod(0o755)
    state = run_dir / "state"
    state.mkdir()

    def line(*command: str | Path) -> list[str]:
        seen = [ROOT, Path(sys.prefix), Path(sys.base_prefix), run_dir]
        words = ["unshare", "--mount", sys.executable, "-m", "tests.process.sandbox", "--uid", str(UID)]
        words += ["--name", station_name, "--state", str(state)]
        return [*words, *(word for path in seen for word in ("--see", str(path))), "--", *map(str, command)]

    yield line
    for left in state.rglob("*"):
        os.chown(left, 0, 0)


def test_the_restrictions_are_in_force(sandboxed: Callable[..., list[str]], station_name: str) -> None:
    script = f"NAME = {station_name!r}\nSTATE = '/var/lib/datumd/{station_name}'\n{PROBE}"
    ended = subprocess.run(
        sandboxed(sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    said = {line.partition(" ")[0]: line.partition(" ")[2] for line in ended.stdout.splitlines()}
    refused = "Operation not permitted"
    assert said, ended.stderr
    assert {said["uid"], said["chown"], said["packet"], said["swap"]} == {refused}
    assert said["etc"] in ("Read-only file system", "Permission denied")
    assert said["own"] == said["shm"] == said["inet"] == "done"
    assert said["homes"] == "[]" or str(ROOT).startswith("/home")
    assert {said[key] for key in ("CapBnd", "CapEff", "CapPrm")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1"
    assert said["Groups"] == ""
    assert set(said["Uid"].split()) == {str(UID)}
    if system_calls():
        assert said["Seccomp"] == "2"
        assert said["vsock"] == refused


@pytest.mark.time_limit_s(150)
def test_the_daemon_works_under_them(
    sandboxed: Callable[..., list[str]], run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    make_recipe(run_dir / "recipes" / "part", ["top"])
    port, state = free_port(), run_dir / "state"
    rest = simulated_camera("top", 0, cti_path()) + "[part]\ndeadline_ms = 2000\n[archive]\nsample_ok = 1\n"
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), rest)
    line = LineProcess(run_dir, ["--source", "pattern", "--triggers", str(PARTS), "--rate-hz", "10"])
    os.chown(line.environment[LINE_VARIABLE], UID, UID)
    command = sandboxed(sys.executable, "-m", "pipeline", "run", station, "--parent", str(os.getpid()))
    environment = os.environ | line.environment | {"HOME": "/var/lib/datumd", "PYTHONPATH": str(ROOT)}
    heard = Heard()
    with (run_dir / "daemon.log").open("w") as log, Subscription(f"tcp://127.0.0.1:{port}") as subscription:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT, start_new_session=True)
        try:
            hear_until(subscription, heard, lambda status: status.state == "ContinuousExecution", limit_s=60.0)
            line.go()
            hear(subscription, heard, triggers=PARTS)
            hear_until(subscription, heard, lambda status: status.evidence.stored + status.evidence.lost >= PARTS)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe daemon's words:\n{(run_dir / 'daemon.log').read_text()}") from error
        finally:
            daemon.terminate()
            ended = daemon.wait(STOP_LIMIT_S)
            line.close()
    assert ended == 0, (run_dir / "daemon.log").read_text()
    assert heard.triggers() == dict.fromkeys(range(1, PARTS + 1), 1)
    assert heard.status is not None
    assert heard.status.journal.fault == heard.status.evidence.fault == ""
    assert heard.status.evidence.lost == 0
    assert (state / "journal.db").stat().st_uid == UID
    assert sum(1 for path in state.rglob("*") if path.suffix in (".png", ".pgm", ".tif")) == PARTS
