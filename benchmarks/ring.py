"""A frame's way from the camera's buffer to the networks' input, and the frame ring beside other ways between two processes."""

import multiprocessing
import multiprocessing.queues
import os
import random
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import zmq
from numpy.typing import NDArray

from benchmarks.bare import bracket_frames
from benchmarks.report import Figure, Measured, main
from engines.devices.cpu import CpuDevice
from pipeline import messages
from pipeline.clock import monotonic_ns
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.messages import Accepted
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.stages.preprocess import Preprocess

Image = NDArray[np.uint8]
Queue: TypeAlias = "multiprocessing.queues.Queue[bytes]"

SLOTS = 12  # of a station with one camera
WAYS = ("frame ring", "multiprocessing.Queue", "zmq frames")
MEMCPY = "memcpy, one process"
BLOCK = 40  # frames of one way, then those of another
AHEAD = 3  # frames that may be on the way where frames/s are counted
SEED = 7
WARM_UP = 20
PATIENCE_MS = 20_000


@dataclass(frozen=True, slots=True)
class Geometry:
    """A region of the frame, and the sizes of its images; whole numbers of halvings lie between them."""

    name: str
    region: Region
    large_wh: tuple[int, int]
    small_wh: tuple[int, int]


GEOMETRIES = (
    Geometry("the example's region, as it is", Region(64.0, 64.0, 1152.0, 896.0), (1152, 896), (144, 112)),
    Geometry("the whole frame, halved", Region(0.0, 0.0, 1280.0, 1024.0), (640, 512), (80, 64)),
)


def measure(quick: bool) -> Measured:
    """Measure copy and preprocess through the frame ring over the plain memcpy and resize; the ring beside other transports."""
    cv2.setNumThreads(1)
    rows: list[tuple[str | float, ...]] = []
    over_must = []
    for geometry in GEOMETRIES:
        path_us, must_us = _frame_path(geometry, 300 if quick else 3000)
        over_must.append(_undisturbed(path_us) / _undisturbed(must_us))
        rows.append((f"buffer to network input: {geometry.name}", *_cells(path_us), over_must[-1]))
        rows.append(("  its memcpy and resize alone", *_cells(must_us), 1.0))
    alone_us, one_by_one_us, frames_per_s = _two_processes(12 if quick else 60)
    floor_us = _undisturbed(alone_us)
    rows.append((f"{MEMCPY}, and read", *_cells(alone_us), 1.0))
    for name in WAYS:
        taken_us = one_by_one_us[name]
        rows.append((f"{name}, one by one", *_cells(taken_us), _undisturbed(taken_us) / floor_us))
    for name in WAYS:
        ratio = frames_per_s[name] / frames_per_s[WAYS[0]]
        rows.append((f"{name}, {AHEAD} ahead: frames/s (over the ring's)", frames_per_s[name], "", ratio))
    ring_us = _undisturbed(one_by_one_us[WAYS[0]])
    return Measured(
        title="1280x1024 Mono8, 1.3 MB a frame; us of a frame, and over the plain memcpy (and resize) in the same run; between "
        f"two processes: from the camera's buffer until the other one has read every pixel and said so, {os.cpu_count()} cores",
        columns=["what", "p50", "p10", "p10 over plain"],
        rows=rows,
        figures=[
            Figure("frame_path_over_must", max(over_must)),
            Figure("ring_over_memcpy", ring_us / floor_us),
            Figure("ring_over_queue", ring_us / _undisturbed(one_by_one_us["multiprocessing.Queue"])),
            Figure("ring_over_zmq_frames", ring_us / _undisturbed(one_by_one_us["zmq frames"])),
            Figure("ring_frames_per_s", frames_per_s[WAYS[0]]),
        ],
    )


def _cells(us: list[float]) -> tuple[float, float]:
    return float(np.percentile(us, 50)), _undisturbed(us)


def _undisturbed(us: list[float]) -> float:
    """The lower tenth: what else the machine does falls on the others."""
    return float(np.percentile(us, 10))


def _us(call: Callable[[int], object], turn: int) -> float:
    begun_ns = monotonic_ns()
    call(turn)
    return (monotonic_ns() - begun_ns) / 1e3


# From the camera's buffer to the input of the networks


def _frame_path(geometry: Geometry, rounds: int) -> tuple[list[float], list[float]]:
    """Us of the whole path, and of what it must do; in turn, in one process, over as many frames' memory each."""
    frames = bracket_frames()
    with tempfile.TemporaryDirectory(prefix="datumd-bench-", dir="/dev/shm") as folder:
        ring = FrameRing.create(Path(folder) / "ring", RingLayout(SLOTS, frames[0].info.payload_bytes, 1))
        try:
            path, must = _path(ring, geometry, frames), _must(geometry, frames)
            for turn in range(WARM_UP):
                path(turn)
                must(turn)
            # Neither finds in the cache what the other one has just read.
            times = [(_us(path, turn), _us(must, turn + len(frames) // 2)) for turn in range(rounds)]
        finally:
            ring.close(unlink=True)
    return [one for one, _ in times], [one for _, one in times]


def _path(ring: FrameRing, geometry: Geometry, frames: list[Frame]) -> Callable[[int], object]:
    """What grab and infer do with a frame, without their messages."""
    preprocess = Preprocess(geometry.small_wh, geometry.large_wh, CpuDevice())

    def path(turn: int) -> object:
        frame, slot, generation = frames[turn % len(frames)], turn % SLOTS, turn + 1
        ring.grant(slot, generation, 0)
        ring.payload(slot)[: frame.info.payload_bytes] = frame.payload
        ring.accept(slot, generation, 0, frame.info)
        parts = preprocess(ring.frame(slot), [geometry.region])
        ring.release(slot, generation)
        return parts

    return path


def _must(geometry: Geometry, frames: list[Frame]) -> Callable[[int], object]:
    """One memcpy of the frame, and the steps of the resize on plain memory."""
    pictures = [_pixels(frame) for frame in frames]
    kept = [np.zeros_like(pictures[0]) for _ in range(SLOTS)]
    x, y, w, h = (int(value) for value in (geometry.region.x, geometry.region.y, geometry.region.w, geometry.region.h))
    shapes = [(geometry.large_wh[1], geometry.large_wh[0])]
    while shapes[-1][0] > geometry.small_wh[1]:
        shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
    images = [np.zeros(shape, np.uint8) for shape in shapes]

    def must(turn: int) -> object:
        frame = kept[turn % SLOTS]
        np.copyto(frame, pictures[turn % len(pictures)])
        source = frame[y : y + h, x : x + w]
        for image in images:
            if image.shape == source.shape:
                np.copyto(image, source)
            else:
                cv2.resize(source, (image.shape[1], image.shape[0]), dst=image, interpolation=cv2.INTER_AREA)
            source = image
        return source

    return must


def _pixels(frame: Frame) -> Image:
    return np.frombuffer(frame.payload, np.uint8).reshape(frame.info.height, frame.info.width)


# Between two processes


class Way(Protocol):
    """One way for a frame into another process."""

    def send(self, frame: Frame, turn: int, /) -> None:
        """Here: bring a frame on its way; it lies in a buffer that the camera will have back."""

    def read(self) -> int:
        """There: wait for a frame, read every pixel and return their sum."""


class _RingWay:
    """The frame in shared memory, and the doorbell as a message."""

    def __init__(self, ring: FrameRing, socket: "zmq.Socket[bytes]") -> None:
        self._ring, self._socket = ring, socket

    def send(self, frame: Frame, turn: int, /) -> None:
        slot, generation = turn % SLOTS, turn + 1
        self._ring.grant(slot, generation, 0)
        self._ring.payload(slot)[: frame.info.payload_bytes] = frame.payload
        self._ring.accept(slot, generation, 0, frame.info)
        self._socket.send(messages.encode(Accepted("top", slot, generation)))

    def read(self) -> int:
        message = messages.decode_to_ledger(self._socket.recv())
        if not isinstance(message, Accepted):
            raise TypeError(f"no doorbell: {message}")
        total = _total(_pixels(self._ring.frame(message.slot)))
        self._ring.release(message.slot, message.generation)
        return total


class _QueueWay:
    """The frame's bytes, pickled into a pipe by the queue's thread."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def send(self, frame: Frame, _turn: int, /) -> None:
        self._queue.put(bytes(frame.payload))  # a copy of the camera's buffer: the queue's thread writes it later

    def read(self) -> int:
        return _total(np.frombuffer(self._queue.get(), np.uint8).reshape(1024, 1280))


class _ZmqWay:
    """The frame's bytes as a message, over a local socket."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket

    def send(self, frame: Frame, _turn: int, /) -> None:
        self._socket.send(frame.payload)  # copied: the camera's buffer goes back

    def read(self) -> int:
        return _total(np.frombuffer(self._socket.recv(copy=False).buffer, np.uint8).reshape(1024, 1280))


def _total(image: Image) -> int:
    return int(cv2.sumElems(image)[0])


def _ways(folder: Path, queue: Queue, socket: "zmq.Socket[bytes]") -> dict[str, Way]:
    found: tuple[Way, ...] = _RingWay(FrameRing.attach(folder / "ring"), socket), _QueueWay(queue), _ZmqWay(socket)
    return dict(zip(WAYS, found, strict=True))


def _two_processes(blocks: int) -> tuple[list[float], dict[str, list[float]], dict[str, float]]:
    """Us of a frame by memcpy alone; us of each frame one by one, and frames/s with some ahead, of each way."""
    frames = bracket_frames()
    spawning = multiprocessing.get_context("spawn")
    queue: Queue = spawning.Queue()
    with (
        tempfile.TemporaryDirectory(prefix="datumd-bench-", dir="/dev/shm") as name,
        zmq.Context[zmq.Socket[bytes]]() as context,
        context.socket(zmq.PAIR) as socket,
    ):
        folder = Path(name)
        ring = FrameRing.create(folder / "ring", RingLayout(SLOTS, frames[0].info.payload_bytes, 1))
        socket.rcvtimeo, socket.linger = PATIENCE_MS, 0
        socket.bind(f"ipc://{folder}/pair")
        reader = spawning.Process(target=_serve, args=(folder, queue), daemon=True)
        reader.start()
        try:
            return _measured(_ways(folder, queue, socket), socket, frames, blocks)
        finally:
            reader.kill()
            reader.join(10.0)
            queue.close()
            ring.close(unlink=True)


def _measured(
    ways: dict[str, Way], socket: "zmq.Socket[bytes]", frames: list[Frame], blocks: int
) -> tuple[list[float], dict[str, list[float]], dict[str, float]]:
    alone_us: list[float] = []
    one_by_one_us: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    buffers = [np.zeros_like(_pixels(frames[0])) for _ in range(SLOTS)]

    def copy_and_read(turn: int) -> None:
        np.copyto(buffers[turn % SLOTS], _pixels(frames[turn % len(frames)]))
        _total(buffers[turn % SLOTS])

    for block in range(blocks + 1):  # the first one warms up
        alone = [_us(copy_and_read, turn) for turn in range(BLOCK)]
        for name, way in draw.sample(sorted(ways.items()), len(ways)):
            for ahead in (1, AHEAD):
                socket.send(name.encode())
                socket.recv()
                times, seconds = _block(way, socket, frames, ahead)
                if block and ahead == 1:
                    one_by_one_us[name] += times
                elif block:
                    rates[name].append(BLOCK / seconds)
        alone_us += alone if block else []
    socket.send(b"")
    return alone_us, one_by_one_us, {name: statistics.median(values) for name, values in rates.items()}


def _block(way: Way, socket: "zmq.Socket[bytes]", frames: list[Frame], ahead: int) -> tuple[list[float], float]:
    """Send a block of frames, so many ahead of their acknowledgement: us of each, and seconds of all."""
    times: list[float] = []
    begun: list[int] = []
    for turn in range(BLOCK + ahead):
        if turn >= ahead:
            socket.recv()
            times.append((monotonic_ns() - begun[turn - ahead]) / 1e3)
        if turn < BLOCK:
            begun.append(monotonic_ns())
            way.send(frames[turn % len(frames)], turn)
    return times, (monotonic_ns() - begun[0]) / 1e9


def _serve(folder: Path, queue: Queue) -> None:
    """The other process: told the way, it reads a block of frames and acknowledges each with its sum."""
    cv2.setNumThreads(1)
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.PAIR) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{folder}/pair")
        ways = _ways(folder, queue, socket)
        while name := socket.recv().decode():
            socket.send(b"")
            for _ in range(BLOCK):
                socket.send(b"%d" % ways[name].read())


if __name__ == "__main__":
    sys.exit(main("ring", measure))
