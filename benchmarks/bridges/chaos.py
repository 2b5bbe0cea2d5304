"""The played PLC with all its faults, while the bridge that the daemon runs is killed again and again."""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bridges.station import ENDPOINT, MODBUS, triggered_station, wait_for_port
from pipeline.client import Subscription
from pipeline.result import Result
from pipeline.status import Status

PLC = f'[plc]\nmodbus = {{ bind = "{MODBUS}" }}\n'
BRIDGE = "bridge.modbus"
PATIENCE_MS = 1500.0
FAULT_SHARE = 0.2
GAP_S = (0.2, 6.0)  # that a bridge lives, once it is up


@dataclass(frozen=True, slots=True)
class Chaos:
    """What became of the parts. `disagreements`: parts that passed without the station's own OK, and the like."""

    parts: int
    passed: int
    kills: int
    disagreements: int


def measure_chaos(parts: int, seed: int = 1) -> Chaos:
    """So many parts; the played PLC holds each that it passed against the station's own results."""
    chance = random.Random(seed)  # noqa: S311 - when to kill, no secret
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as folder, triggered_station(Path(folder), PLC) as name:
        wait_for_port(MODBUS)
        command = [sys.executable, "-m", "pipeline", "plc-sim", MODBUS, "--parts", str(parts), "--fault", "all"]
        options = ["--share", str(FAULT_SHARE), "--patience-ms", str(PATIENCE_MS), "--results", ENDPOINT]
        plc = subprocess.Popen(
            [*command, *options, "--scan-ms", "2", "--seed", str(seed)], stdout=subprocess.PIPE, text=True
        )
        try:
            kills = _kill(plc, name, chance)
            words = plc.communicate()[0]
        finally:
            plc.kill()
            plc.wait()
    return read_words(words, kills)


def read_words(words: str, kills: int) -> Chaos:
    """What the played PLC has printed. Raises RuntimeError where it did not come to its end."""
    counts = {what: int(count) for what, count in re.findall(r"^ *(.*?)  +(\d+)$", words, flags=re.MULTILINE)}
    if "disagree" not in counts:
        raise RuntimeError(f"the played PLC did not come to its end: {words}")
    return Chaos(counts["parts"], counts.get("passed", 0), kills, counts["disagree"])


def _kill(plc: "subprocess.Popen[str]", name: str, chance: random.Random) -> int:
    """Kill the bridge at random moments until the played PLC has ended; how often. It lives until the first part has come."""
    kills, struck, begun = 0, 0, False
    next_s: float | None = None
    with Subscription(ENDPOINT, name, replay=False) as subscription:
        while plc.poll() is None:
            message = subscription.receive(0.2)
            begun = begun or isinstance(message, Result)
            if begun and isinstance(message, Status) and next_s is None:
                bridge = next((one for one in message.processes if one.name == BRIDGE), None)
                if bridge is not None and bridge.state == "ready" and bridge.pid != struck:
                    struck, next_s = bridge.pid, time.monotonic() + chance.uniform(*GAP_S)
            if next_s is not None and time.monotonic() >= next_s:
                with suppress(ProcessLookupError):
                    os.kill(struck, signal.SIGKILL)
                kills, next_s = kills + 1, None
    return kills
