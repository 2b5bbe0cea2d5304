"""A frame's way from the camera's buffer to the networks' input, and what of it cannot be saved."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bare import bracket_frames
from engines.devices.cpu import CpuDevice
from pipeline.clock import monotonic_ns
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.pixels import whole_grey8
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.stages.preprocess import Preprocess

SLOTS = 12  # of a station with one camera
WARM_UP = 20


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


def frame_path(geometry: Geometry, rounds: int) -> tuple[list[float], list[float]]:
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
    pictures = [whole_grey8(frame) for frame in frames]
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


def _us(call: Callable[[int], object], turn: int) -> float:
    begun_ns = monotonic_ns()
    call(turn)
    return (monotonic_ns() - begun_ns) / 1e3
