"""Stations for tests of the whole daemon, and what subscribers and logs say of a run."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.client import Subscription
from pipeline.result import Result
from pipeline.status import Status
from simulator.child import DaemonProcess

LINE_FEATURES = '{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }'


def simulated_camera(name: str, device: int, producer: Path) -> str:
    """A camera of the simulated line."""
    return f"""
[camera.{name}]
producer = "{producer}"
serial = "SIM-{device}"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {LINE_FEATURES}
"""


def write_station(folder: Path, station: str, recipes: Path, port: int, metrics_port: int, rest: str) -> Path:
    """A station file with the given cameras and tables; journal and images in `folder`/state, requests at any free port."""
    path = folder / "station.toml"
    archive = "" if "[archive]" in rest else '[archive]\nfolder = "state"\n'
    control = "" if "[control]" in rest else f'[control]\nbind = "tcp://127.0.0.1:{any_free_port()}"\n'
    path.write_text(
        f'format = 1\nstation = "{station}"\nrecipes = "{recipes}"\n{rest}\n{archive}{control}'
        f'[results]\nbind = "tcp://127.0.0.1:{port}"\n[metrics]\nbind = "127.0.0.1:{metrics_port}"\n'
    )
    return path


def any_free_port() -> int:
    """A TCP port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Heard:
    """What a subscriber heard: results in order, and the newest status."""

    results: list[Result] = field(default_factory=list)
    status: Status | None = None

    def triggers(self) -> Counter[int | None]:
        """How often each trigger number was answered."""
        return Counter(result.trigger_number for result in self.results if result.part_index == result.part_count - 1)

    def reasons(self) -> dict[int | None, set[str]]:
        """Trigger number to the codes of its reasons."""
        found: dict[int | None, set[str]] = {}
        for result in self.results:
            found.setdefault(result.trigger_number, set()).update(reason.code for reason in result.reasons)
        return found


def hear(
    subscription: Subscription, heard: Heard, *, triggers: int, limit_s: float = 30.0, quiet_s: float = 1.5
) -> None:
    """Listen until so many triggers are answered and it has been quiet for a while, so that an answer too many shows."""
    until = time.monotonic() + limit_s
    last = time.monotonic()
    while time.monotonic() < until:
        message = subscription.receive(0.1)
        if isinstance(message, Result):
            heard.results.append(message)
            last = time.monotonic()
        elif isinstance(message, Status):
            heard.status = message
        if sum(heard.triggers().values()) >= triggers and time.monotonic() - last > quiet_s:
            return
    raise AssertionError(f"{sum(heard.triggers().values())} of {triggers} triggers answered after {limit_s} s")


def hear_until(
    subscription: Subscription, heard: Heard, is_so: Callable[[Status], bool], *, limit_s: float = 30.0
) -> None:
    """Listen until a status message is as it should be."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        message = subscription.receive(0.1)
        if isinstance(message, Result):
            heard.results.append(message)
        elif isinstance(message, Status):
            heard.status = message
            if is_so(message):
                return
    raise AssertionError(f"after {limit_s} s the status is {heard.status}")


@contextmanager
def running(
    station: Path, port: int, environment: dict[str, str] | None = None
) -> Iterator[tuple[DaemonProcess, Subscription]]:
    """A daemon that is ready, and a subscription to it."""
    with Subscription(f"tcp://127.0.0.1:{port}") as subscription:
        daemon = DaemonProcess(station, environment or {})
        try:
            daemon.wait_until_ready(subscription)
            yield daemon, subscription
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe daemon's words:\n{daemon.words()}") from error
        finally:
            daemon.close()
