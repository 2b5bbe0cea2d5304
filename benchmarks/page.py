"""What the page costs the inspection while three browsers look: frames a second of an overloaded line, p99 of one at half load."""

import http.client
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare import POOL, RECIPE, BareProcess
from benchmarks.report import Figure, Measured, main
from pipeline.client import Subscription
from pipeline.recipe import load_recipe
from pipeline.result import Result, ResultState
from pipeline.result_text import percentile
from simulator.child import DaemonProcess, LineProcess
from simulator.demo import GENICAM, STATION
from simulator.producer import cti_path

BROWSERS = 3
HALF, OVERLOAD = 0.5, 3.0  # triggers a second over frames a second of the bare loop
SETTLE_S = 1.0
LIMIT_S = 60.0


@dataclass(slots=True)
class Slices:
    """What was heard in all slices of one kind."""

    seconds: float = 0.0
    verdicts: int = 0
    took_ms: list[float] = field(default_factory=list)
    pictures: int = 0


def measure(quick: bool) -> Measured:
    """Measure slices with and without browsers in turn, of the same daemon."""
    slices, seconds = (2, 6.0) if quick else (8, 15.0)
    with BareProcess() as bare:
        bare.ask(100)
        rate_hz = 1000.0 / percentile(bare.collect(), 50)
    rows: list[tuple[str | float, ...]] = []
    figures: list[Figure] = []
    for name, load in (("half load", HALF), ("overload", OVERLOAD)):
        alone, watched = _in_turn(rate_hz * load, slices, seconds)
        rates = [one.verdicts / one.seconds for one in (alone, watched)]
        p99 = [percentile(one.took_ms, 99) for one in (alone, watched)]
        rows += [(name, "none", rates[0], percentile(alone.took_ms, 50), p99[0], 0)]
        rows += [(name, f"{BROWSERS} browsers", rates[1], percentile(watched.took_ms, 50), p99[1], watched.pictures)]
        kind = name.replace(" ", "_")
        figures += [Figure(f"{kind}_rate_ratio", rates[1] / rates[0]), Figure(f"{kind}_p99_ratio", p99[1] / p99[0])]
    return Measured(
        title=f"bracket, one camera, {slices} slices of {seconds:g} s each way in turn, {os.cpu_count()} cores; a browser here "
        "asks for all that one asks for, and draws nothing",
        columns=["line", "page", "verdicts/s", "p50 ms", "p99 ms", "pictures had"],
        rows=rows,
        figures=figures,
    )


def _in_turn(rate_hz: float, slices: int, seconds: float) -> tuple[Slices, Slices]:
    """Without and with browsers."""
    alone, watched = Slices(), Slices()
    with tempfile.TemporaryDirectory(prefix="datumd-page-") as folder, _station(Path(folder), rate_hz) as (sub, url):
        for _ in range(slices):
            for found, count in ((alone, 0), (watched, BROWSERS)):
                with _browsers(url, count) as pictures:
                    _heard(sub, Slices(), SETTLE_S)
                    _heard(sub, found, seconds)
                found.pictures += pictures.value
    return alone, watched


def _heard(subscription: Subscription, found: Slices, seconds: float) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        message = subscription.receive(0.05)
        if isinstance(message, Result) and message.result_state is ResultState.COMPLETED:
            found.verdicts += 1
            found.took_ms.append(message.times["received_to_answered_ns"] / 1e6)
    found.seconds += time.monotonic() - begun


@contextmanager
def _station(folder: Path, rate_hz: float) -> Iterator[tuple[Subscription, str]]:
    results, metrics, web = (f"127.0.0.1:{_free_port()}" for _ in range(3))
    with ExitStack() as stack:
        line = LineProcess(folder, ["--pool", str(POOL), "--rate-hz", f"{rate_hz:.2f}"])
        stack.callback(line.close)
        text = STATION.format(
            station=f"page-{os.getpid()}", recipes=RECIPE.parent, recipe=load_recipe(RECIPE).number, deadline_ms=2000.0,
            results=results, metrics=metrics, camera=GENICAM.format(producer=cti_path()),
        )  # fmt: skip
        path = folder / "station.toml"
        path.write_text(f'{text}\n[control]\nbind = "tcp://127.0.0.1:{_free_port()}"\n[web]\nbind = "{web}"\n')
        daemon = DaemonProcess(path, line.environment)
        stack.callback(daemon.close)
        subscription = stack.enter_context(Subscription(f"tcp://{results}", replay=False))
        daemon.wait_until_ready(subscription)
        line.go()
        yield subscription, web


@contextmanager
def _browsers(address: str, count: int) -> "Iterator[multiprocessing.sharedctypes.Synchronized[int]]":
    spawn = multiprocessing.get_context("spawn")
    pictures = spawn.Value("i", 0)
    looking = [spawn.Process(target=_look, args=(address, pictures), daemon=True) for _ in range(count)]
    for one in looking:
        one.start()
    until = time.monotonic() + LIMIT_S
    while count and pictures.value < count and time.monotonic() < until:
        time.sleep(0.1)
    pictures.value = 0
    try:
        yield pictures
    finally:
        for one in looking:
            one.terminate()
            one.join()


def _look(address: str, pictures: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    """As the page's script: listen, and ask for the pictures of each part that is told."""
    events = http.client.HTTPConnection(address, timeout=LIMIT_S)
    events.request("GET", "/events")
    stream = events.getresponse()
    asking = http.client.HTTPConnection(address, timeout=LIMIT_S)
    kind = b""
    while line := stream.readline():
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        elif line.startswith(b"data: ") and kind == b"part":
            for note in json.loads(line[6:])["pictures"].values():
                asking.request("GET", note["url"])
                if len(asking.getresponse().read()) > 1000:
                    with pictures.get_lock():
                        pictures.value += 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main("page", measure))
