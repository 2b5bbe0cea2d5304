"""The public client against a real daemon: control reaches the cameras, and a subscriber has every result whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.client import Control, Gap, RequestRefused, Subscription, find_control
from pipeline.result import Result
from pipeline.status import StationState, Status
from simulator.child import DaemonProcess
from tests.recipes import make_recipe
from tests.stations import write_station

pytestmark = pytest.mark.time_limit_s(180)

CAMERA = '[camera.top]\ntype = "synthetic"\nrate_hz = 40\n'
ASKED_CAMERA = '[camera.top]\ntype = "synthetic"\ntriggers = "software"\n'


@pytest.fixture
def start(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[Callable[[str], str]]:
    """Starts a daemon with this camera, and gives the address of its results."""
    daemons: list[DaemonProcess] = []

    def started(camera: str) -> str:
        port, control = free_port(), free_port()
        make_recipe(run_dir / "recipes" / "part", ["top"])
        rest = f'{camera}[control]\nbind = "tcp://127.0.0.1:{control}"\n[archive]\nfolder = "{run_dir}/state"\n'
        path = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), rest)
        address = f"tcp://127.0.0.1:{port}"
        with Subscription(address) as subscription:
            daemons.append(DaemonProcess(path, {}))
            daemons[0].wait_until_ready(subscription)
        return address

    yield started
    for daemon in daemons:
        daemon.close()


def process_of(status: Status, name: str) -> int:
    return next(process.pid for process in status.processes if process.name == name)


def test_every_result_is_had_once_while_ledger_requests_and_subscriber_are_killed(
    start: Callable[[str], str], tmp_path: Path
) -> None:
    address = start(CAMERA)
    with Control(find_control(address)) as control:
        began = control.status().session
        found: list[Result | Gap] = []
        ended: set[int] = (
            set()
        )  # sessions whose ledger was killed: one that is killed before it has a result leaves none
        for victim in ("requests", "ledger", "ledger", "requests"):
            with Subscription(address, cursor=tmp_path / "cursor", from_start=True) as subscription:
                started = time.monotonic()
                while (waited := time.monotonic() - started) < 20 and (
                    waited < 1 or ended >= {message.session for message in found}
                ):
                    message = subscription.receive(0.1)
                    if isinstance(message, Result | Gap):
                        found.append(message)
            if victim == "ledger":
                ended |= {message.session for message in found}
            os.kill(process_of(control.status(), victim), signal.SIGKILL)
        with Subscription(address, cursor=tmp_path / "cursor") as subscription:
            newest = None
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not (newest and newest.seq > 40):
                message = subscription.receive(0.1)
                if isinstance(message, Result | Gap):
                    found.append(message)
                    newest = message if isinstance(message, Result) and message.session > found[0].session else newest
    assert not [each for each in found if isinstance(each, Gap)]
    results = [each for each in found if isinstance(each, Result)]
    assert (results[0].session, results[0].seq) == (began, 1)
    for before, after in pairwise(results):
        assert after.seq == before.seq + 1 if after.session == before.session else after.seq == 1
    assert len({result.session for result in results}) == 3


def test_a_station_is_triggered_stopped_and_started_from_outside(start: Callable[[str], str]) -> None:
    address = start(ASKED_CAMERA)
    datumd = [sys.executable, "-m", "pipeline"]
    words = [*datumd, "trigger", "--part-id", "SN-1", address]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 3), done.stderr
    assert len(done.stdout.splitlines()) >= 1
    with Control(find_control(address)) as control, Subscription(address, from_start=True) as subscription:
        control.stop()
        assert control.status().state is StationState.Ready
        number = control.trigger("SN-2")
        answers = []
        while len(answers) < 2:
            message = subscription.receive(20.0)
            assert message is not None
            if isinstance(message, Result):
                answers.append((message.part_id, message.software_trigger))
        assert answers == [("SN-1", number - 1), ("SN-2", number)]
        control.start()
        assert control.status().state is StationState.ContinuousExecution
        (recipe,) = control.recipes()
        assert recipe.selected
        control.select_recipe(recipe.number)
        with pytest.raises(RequestRefused):
            control.select_recipe(99)
        assert control.status().recipe_id == recipe.number
