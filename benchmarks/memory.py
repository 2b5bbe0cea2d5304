"""How much the memory of each process grows from 10,000 frames on: a network that costs nothing, and small pictures."""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from benchmarks.dots.recipes import frame_with_part, make_recipe
from benchmarks.report import budgets_of, cell_text, faults_of, table_text
from pipeline.client import Message, Subscription
from pipeline.errors import DatumdError
from pipeline.result import Result
from pipeline.status import Status
from simulator.child import DaemonProcess, LineProcess
from simulator.producer import cti_path

FROM = 10_000  # frames after which every buffer has been used
REGION = (0, 0, 64, 64)
RATE_HZ = 600.0
RESULTS, METRICS = "127.0.0.1:5599", "127.0.0.1:9599"
SAMPLES = 5  # status messages, one a second, whose median is compared
SAY_S, SILENCE_S = 10.0, 10.0
STATION = """format = 1
station = "{station}"
recipes = "recipes"
recipe = 1
[part]
deadline_ms = 2000
[ring]
slot_mb = 0.1
queue_depth = 64
[results]
bind = "tcp://{results}"
[metrics]
bind = "{metrics}"
[archive]
folder = "state"
quota_gb = 0.02
[camera.top]
producer = "{producer}"
serial = "SIM-0"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}
"""


@dataclass(slots=True)
class Memory:
    """Resident MB of each process, once a second from `FROM` frames on, and how many frames were answered."""

    frames: int = 0
    inspected: int = 0
    samples: dict[str, list[float]] = field(default_factory=dict)
    restarts: int = 0

    def take(self, message: Message) -> None:
        """Count a result, or keep what a status message says."""
        if isinstance(message, Result):
            self.frames += 1
            self.inspected += message.result_state == "COMPLETED"
        elif isinstance(message, Status) and self.frames >= FROM:
            self.restarts = sum(process.restarts for process in message.processes)
            for process in message.processes:
                self.samples.setdefault(process.name, []).append(process.resident_bytes / 1e6)

    def rows(self) -> list[tuple[str, float, float, float]]:
        """Process, MB after `FROM` frames, MB at the end, growth in MB."""
        found = []
        for name, values in self.samples.items():
            first, last = statistics.median(values[:SAMPLES]), statistics.median(values[-SAMPLES:])
            found.append((name, first, last, last - first))
        return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; Ctrl-C ends it early, with the table of what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, metavar="N", help="end after N frames (%(default)s)")
    parser.add_argument("--rate-hz", type=float, default=RATE_HZ, metavar="R", help="of the line (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="30,000 frames")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    options = parser.parse_args(argv)
    wanted = 30_000 if options.quick else options.frames
    stop = False

    def on_signal(*_: object) -> None:
        nonlocal stop
        stop = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        memory = measure(wanted, options.rate_hz, lambda: stop)
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.memory: {error}\n")
        return 2
    rows = memory.rows()
    figures = {"frames": float(memory.frames)}
    if rows:
        figures["growth_mb"] = max(growth for *_, growth in rows)
    faults = faults_of(figures, budgets_of("memory"))
    if memory.restarts:
        faults.append(f"{memory.restarts} restarts: what began anew has not been measured")
    print(f"{memory.frames} frames of 64x64, {memory.inspected} of them inspected, {memory.restarts} restarts\n")
    print(table_text(["process", f"MB after {FROM}", f"MB after {memory.frames}", "growth"], rows))
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": "memory", "quick": options.quick, "figures": figures, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print("\nmemory: " + ", ".join(f"{name} {cell_text(value)}" for name, value in figures.items()), flush=True)
    return 1 if faults else 0


def measure(wanted: int, rate_hz: float, stopped: Callable[[], bool]) -> Memory:
    """Listen to a whole daemon until so many frames are answered, or `stopped`."""
    memory = Memory()
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name, Subscription(f"tcp://{RESULTS}") as subscription:
        folder = Path(name)
        station = _write_station(folder)
        source = ["--source", str(folder / "pictures"), "--rate-hz", f"{rate_hz:g}"]
        line = LineProcess(folder, source)
        try:
            daemon = DaemonProcess(station, line.environment)
            try:
                daemon.wait_until_ready(subscription, stopped)
                line.go()
                _listen(subscription, memory, wanted, stopped, daemon)
            finally:
                daemon.close()
        finally:
            line.close()
    return memory


def _listen(
    subscription: Subscription, memory: Memory, wanted: int, stopped: Callable[[], bool], daemon: DaemonProcess
) -> None:
    said_s = heard_s = time.monotonic()
    ended_s: float | None = None
    while ended_s is None or time.monotonic() - ended_s < SAMPLES:
        message = subscription.receive(0.2)
        now_s = time.monotonic()
        if message is not None:
            heard_s = now_s
            memory.take(message)
        elif now_s - heard_s > SILENCE_S:
            raise DatumdError(f"nothing heard for {SILENCE_S:g} s:\n{daemon.words()}")
        if now_s - said_s > SAY_S:
            said_s = now_s
            growth = max((growth for *_, growth in memory.rows()), default=0.0)
            sys.stderr.write(f"{memory.frames} frames, {memory.inspected} inspected, growth {growth:+.2f} MB\n")
        if ended_s is None and (memory.frames >= wanted or stopped()):
            ended_s = now_s


def _write_station(folder: Path) -> Path:
    make_recipe(
        folder / "recipes" / "dots", ["top"], region=REGION, small_wh=REGION[2:], large_wh=REGION[2:], refine=False
    )
    (folder / "pictures").mkdir()
    cv2.imwrite(str(folder / "pictures" / "part.png"), frame_with_part(REGION))
    path = folder / "station.toml"
    text = STATION.format(station=f"bench-{os.getpid()}", results=RESULTS, metrics=METRICS, producer=cti_path())
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
