"""Ways for a frame between two processes: the frame ring, a queue of multiprocessing, messages of ZeroMQ."""

import multiprocessing
import multiprocessing.queues
import random
import statistics
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import zmq
from numpy.typing import NDArray

from benchmarks.bare import bracket_frames
from benchmarks.frame_path import SLOTS
from pipeline import messages
from pipeline.clock import monotonic_ns
from pipeline.frame import Frame
from pipeline.messages import Accepted
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout

Image = NDArray[np.uint8]
Queue: TypeAlias = "multiprocessing.queues.Queue[bytes]"

RING, QUEUE, ZMQ = WAYS = ("frame ring", "multiprocessing.Queue", "zmq frames")
BLOCK = 40  # frames of one way, then those of another
AHEAD = 3  # frames that may be on the way where frames/s are counted
SEED = 7
PATIENCE_MS = 20_000


@dataclass(frozen=True, slots=True)
class Transports:
    """What was measured.

    Attributes:
        alone_us: of each frame that was copied and read in one process.
        one_by_one_us: by way, of each frame from the camera's buffer until the other process has read every pixel and said so.
        frames_per_s: by way, with AHEAD frames on the way.
    """

    alone_us: list[float]
    one_by_one_us: dict[str, list[float]]
    frames_per_s: dict[str, float]


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


def transports(blocks: int) -> Transports:
    """Measure all ways in turn, in so many blocks of BLOCK frames each, whose order is drawn anew."""
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


def _measured(ways: dict[str, Way], socket: "zmq.Socket[bytes]", frames: list[Frame], blocks: int) -> Transports:
    alone_us: list[float] = []
    one_by_one_us: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    buffers = [np.zeros_like(_pixels(frames[0])) for _ in range(SLOTS)]

    def copied_and_read_us(turn: int) -> float:
        begun_ns = monotonic_ns()
        np.copyto(buffers[turn % SLOTS], _pixels(frames[turn % len(frames)]))
        _total(buffers[turn % SLOTS])
        return (monotonic_ns() - begun_ns) / 1e3

    for block in range(blocks + 1):  # the first one warms up
        alone = [copied_and_read_us(turn) for turn in range(BLOCK)]
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
    return Transports(alone_us, one_by_one_us, {name: statistics.median(values) for name, values in rates.items()})


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


def _pixels(frame: Frame) -> Image:
    return np.frombuffer(frame.payload, np.uint8).reshape(frame.info.height, frame.info.width)
