"""A station, and the faults that are made on it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.alerts.fault import Fault
from benchmarks.alerts.prometheus import DIVISOR
from benchmarks.alerts.station import RunningStation

LINE_CAMERA = """[camera.top]
producer = "{producer}"
serial = "SIM-0"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}
"""
ARCHIVE = '[archive]\nfolder = "{folder}"\nsample_ok = 1\nquota_gb = {quota_gb}\n'


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs.

    Attributes:
        station: that Prometheus scrapes.
        faults: one after the other.
        nodes: the port of a node exporter and the mount point that counts.
    """

    station: RunningStation
    faults: Sequence[Fault]
    nodes: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A stage before it is set.

    Attributes:
        alerts: that it shows.
        open: starts everything in an empty folder, and lets the parts come.
        divisor: of the times of the rules.
        rest_s: without a fault, before the first one; nothing may fire but `by_load`.
        by_load: alerts that fire because the scene asks more than a machine may have.
        lacks: why it cannot be shown on this machine, "" where it can.
    """

    name: str
    alerts: Sequence[str]
    open: Callable[[Path], AbstractContextManager[Stage]]
    divisor: int = DIVISOR
    rest_s: float = 10.0
    by_load: Sequence[str] = ()
    lacks: Callable[[], str] = lambda: ""
