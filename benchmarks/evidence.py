"""The copier of images: how many it writes, how long it holds a slot, and how long a look at 100,000 files takes."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.report import Figure, Measured
from pipeline.camera_settings import SyntheticSettings
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.config import ArchiveSettings, Station
from pipeline.evidence.image_name import HOUR_NS, image_path
from pipeline.evidence.image_store import ImageStore
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.messages import Copied, Copy, EvidenceHello, Stored, ToLedger
from pipeline.result import Evaluation
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime
from pipeline.supervisor.processes import processes
from pipeline.vitals import Vitals
from pipeline.workers.switchboard import Switchboard
from simulator.render import PartRenderer

WIDTH, HEIGHT, SLOTS = 1280, 1024, 8
RATES_HZ = (10, 20, 40, 80, 160)
RESULT_BYTES = 3000
ANSWER_LIMIT_MS = 20_000
FILES_AN_HOUR = 2000


class Bench:
    """A ring with pictures, and the ledger's end of the copier's line."""

    def __init__(self, folder: Path) -> None:
        name = f"bench-{secrets.token_hex(3)}"
        camera = SyntheticSettings(width=WIDTH, height=HEIGHT)
        archive = ArchiveSettings(quota_gb=2.0)
        station = Station(format=1, station=name, recipes="", camera={"top": camera}, archive=archive)
        (folder / "run").mkdir()
        (folder / "state").mkdir()
        names = [spec.name for spec in processes(station)]
        self.runtime = Runtime(station, str(folder / "run"), str(folder / "state"), names)
        self.runtime.save()
        self.ring = FrameRing.create(self.runtime.ring_path, RingLayout(SLOTS, WIDTH * HEIGHT, 1))
        self.ring.begin_session(1)
        self.vitals = Vitals(self.runtime.vitals_path, rows=len(names))
        renderer = PartRenderer(width=WIDTH, height=HEIGHT)
        for slot in range(SLOTS):
            info = FrameInfo(WIDTH, HEIGHT, PixelFormat.Mono8, slot, slot, 900.0, None, 1, utc_ns())
            self.ring.grant(slot, slot + 1, 0)
            self.ring.payload(slot)[:] = np.ascontiguousarray(renderer.render(slot).image).data.cast("B")
            self.ring.accept(slot, slot + 1, 0, info)
        self._switchboard = Switchboard(self.runtime.ledger_path)
        self._heard: deque[ToLedger] = deque()
        words = [sys.executable, "-m", "pipeline", "worker", "evidence", "--run-dir", self.runtime.folder]
        self._child = subprocess.Popen([*words, "--parent", str(os.getpid())])
        self._seq = 0
        while not isinstance(self._hear(ANSWER_LIMIT_MS), EvidenceHello):
            pass

    def load(self, rate_hz: float, seconds: float) -> tuple[float, int, list[float]]:
        """Order copies at a steady rate. Returns images stored a second, images lost, and ms from Copy to Copied."""
        sent_ns: dict[int, list[int]] = {slot + 1: [] for slot in range(SLOTS)}
        held_ms: list[float] = []
        stored = lost = sent = 0
        count = int(rate_hz * seconds)
        begun_ns = monotonic_ns()
        while stored + lost < count:
            due_ns = begun_ns + int(sent * 1e9 / rate_hz)
            if sent < count and monotonic_ns() >= due_ns:
                slot = sent % SLOTS
                sent += 1
                sent_ns[slot + 1].append(monotonic_ns())
                self._order(slot)
                continue
            wait_ms = ANSWER_LIMIT_MS if sent == count else max(0, (due_ns - monotonic_ns()) // 1_000_000)
            match self._hear(wait_ms):
                case Copied(generation=generation):
                    held_ms.append((monotonic_ns() - sent_ns[generation].pop(0)) / 1e6)
                case Stored(fault=fault):
                    stored, lost = (stored, lost + 1) if fault else (stored + 1, lost)
        return stored / ((monotonic_ns() - begun_ns) / 1e9), lost, held_ms

    def _order(self, slot: int) -> None:
        self._seq += 1
        path = image_path(1, self._seq, "top", utc_ns(), Evaluation.NOT_OK)
        result = b'{"text":"' + b"x" * RESULT_BYTES + b'"}'
        order = Copy(slot, slot + 1, self._seq, "top", Evaluation.NOT_OK, path, result, 1)
        self._switchboard.tell("evidence", order)

    def _hear(self, timeout_ms: int) -> ToLedger | None:
        """The next message; None when none comes in time."""
        until_ns = monotonic_ns() + timeout_ms * 1_000_000
        while not self._heard and (left_ms := (until_ns - monotonic_ns()) // 1_000_000) >= 0:
            self._switchboard.wait(left_ms)
            self._heard += self._switchboard.hear()
        return self._heard.popleft() if self._heard else None

    def bytes_an_image(self) -> float:
        """Mean size of what lies in the folder now."""
        sizes = [path.stat().st_size for path in Path(self.runtime.state_folder).glob("images/*/*/*.png")]
        return sum(sizes) / max(1, len(sizes))

    def close(self) -> None:
        """End the copier and remove what was made."""
        self._child.terminate()
        self._child.wait()
        self._switchboard.close()
        self.vitals.close()
        self.runtime.remove()
        self.ring.close(unlink=True)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """On a disk, in the folder where this runs: /tmp may be memory."""
    with tempfile.TemporaryDirectory(prefix="datumd-bench-", dir=Path.cwd()) as name:
        yield Path(name)


def _look(folder: Path, files: int) -> tuple[float, float, float]:
    """Seconds that a look at so many files (half images, half texts) takes, ms of its longest step, MB that it takes."""
    first_ns = utc_ns() - 10 * 24 * HOUR_NS
    for number in range(files // 2):
        utc = first_ns + number // FILES_AN_HOUR * HOUR_NS
        path = folder / image_path(1, number, "top", utc, Evaluation.NOT_OK)
        if number % FILES_AN_HOUR == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        path.with_suffix(".json").write_bytes(b"x")
    before = _resident_mb()
    store = ImageStore(folder, ArchiveSettings())
    begun = time.perf_counter()
    steps = []
    while store.total.images < files // 2:
        step = time.perf_counter()
        store.step()
        steps.append(time.perf_counter() - step)
    return time.perf_counter() - begun, max(steps) * 1e3, _resident_mb() - before


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(quick: bool) -> Measured:
    """Copies and writes pictures of 1280x1024 Mono8 at several rates, on the disk of the present folder."""
    seconds, files = (3.0, 20_000) if quick else (10.0, 100_000)
    rows: list[list[str | float]] = []
    with _folder() as folder:
        bench = Bench(folder)
        try:
            for rate_hz in RATES_HZ:
                stored_hz, lost, held_ms = bench.load(rate_hz, seconds)
                p50, p99 = np.percentile(held_ms, [50, 99])
                rows.append([f"{rate_hz} a second", stored_hz, lost, float(p50), float(p99), max(held_ms)])
            size_mb = bench.bytes_an_image() / 1e6
        finally:
            bench.close()
        shutil.rmtree(folder / "state")
        look_s, step_ms, look_mb = _look(folder, files)
    last = rows[-1]
    figures = [
        Figure("stored_hz", max(float(row[1]) for row in rows)),
        Figure("image_mb", size_mb),
        Figure("held_p50_ms", float(last[3])),
        Figure("held_p99_ms", float(last[4])),
        Figure("look_s", look_s),
        Figure("look_files", files),
        Figure("look_longest_step_ms", step_ms),
        Figure("look_memory_mb", look_mb),
    ]
    title = f"Rendered parts, {WIDTH}x{HEIGHT} Mono8, {seconds:g} s at each rate; ms from Copy to Copied"
    return Measured(title, ["ordered", "stored/s", "lost", "p50", "p99", "max"], rows, figures)


if __name__ == "__main__":
    sys.exit(report.main("evidence", measure))
