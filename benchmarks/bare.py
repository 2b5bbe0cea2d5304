"""The bare loop: the stages of the example recipe in one process, without cameras, ring or ledger; what others are measured by."""

import multiprocessing
import multiprocessing.connection
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import cv2

from pipeline.clock import monotonic_ns, utc_ns
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.inspector import Inspector
from pipeline.recipe import load_recipe
from simulator.demo import RECIPES
from simulator.render import PartRenderer, frame_seed

RECIPE = RECIPES / "bracket"
VIEW = "top"
POOL = 24
WARM_UP = 20


def bracket_frames() -> list[Frame]:
    """The pictures that the simulated line shows with seed 0, 1280x1024 Mono8."""
    renderer = PartRenderer("bracket")
    frames = []
    for index in range(POOL):
        image = renderer.render(frame_seed(0, index)).image
        height, width = image.shape
        info = FrameInfo(width, height, PixelFormat.Mono8, index, index, None, None, monotonic_ns(), utc_ns())
        frames.append(Frame(info, memoryview(image.tobytes())))
    return frames


def inspect_bare(inspector: Inspector, frame: Frame) -> dict[str, int]:
    """Inspect one frame as each view of a part, and decide. Returns the time of each stage in ns, summed over the views."""
    return inspector.decide({view: inspector.inspect(view, frame)[0] for view in inspector.recipe.views}).stages_ns


class BareProcess:
    """A bare loop in a process of its own, that goes on by as many frames as it is asked for."""

    def __init__(self) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._line, theirs = spawning.Pipe()
        self._child = spawning.Process(target=_serve, args=(theirs,), daemon=True)
        self._child.start()
        theirs.close()
        self.collect()

    def ask(self, frames: int = 1) -> None:
        """Let it inspect so many frames, one after the other; `collect` gives the times."""
        self._line.send([None] * frames)

    def ask_at(self, gaps_s: Sequence[float]) -> None:
        """Let frames come so long after each other, as on a line; a time then runs from when the frame came."""
        self._line.send(gaps_s)

    def collect(self) -> list[float]:
        """Wait until it has done what it was last asked for: ms of each frame."""
        times: list[float] = self._line.recv()
        return times

    def is_done(self) -> bool:
        """Whether `collect` would not wait."""
        return self._line.poll(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        self._child.join(10.0)
        self._child.kill()


def _serve(line: "multiprocessing.connection.Connection[list[float], Sequence[float | None]]") -> None:
    cv2.setNumThreads(1)
    inspector = Inspector.load(load_recipe(RECIPE))
    frames = bracket_frames()
    for index in range(WARM_UP):
        inspect_bare(inspector, frames[index % POOL])
    line.send([])
    count = 0
    try:
        while True:
            times, gaps = [], line.recv()
            due = time.perf_counter()
            for gap_s in gaps:
                due = time.perf_counter() if gap_s is None else due + gap_s
                time.sleep(max(0.0, due - time.perf_counter()))
                inspect_bare(inspector, frames[count % POOL])
                times.append((time.perf_counter() - due) * 1000.0)
                count += 1
            line.send(times)
    except EOFError:  # nobody wants any more
        return
