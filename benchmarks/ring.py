"""A frame's way from the camera's buffer to the networks' input, and the frame ring beside other ways between two processes."""

import os
import sys

import cv2
import numpy as np

from benchmarks.frame_path import GEOMETRIES, frame_path
from benchmarks.report import Figure, Measured, main
from benchmarks.transports import AHEAD, QUEUE, RING, WAYS, ZMQ, transports

MEMCPY = "memcpy, one process"


def measure(quick: bool) -> Measured:
    """Measure copy and preprocess through the frame ring over the plain memcpy and resize; the ring beside other transports."""
    cv2.setNumThreads(1)
    rows: list[tuple[str | float, ...]] = []
    over_must = []
    for geometry in GEOMETRIES:
        path_us, must_us = frame_path(geometry, 300 if quick else 3000)
        over_must.append(_undisturbed(path_us) / _undisturbed(must_us))
        rows.append((f"buffer to network input: {geometry.name}", *_cells(path_us), over_must[-1]))
        rows.append(("  its memcpy and resize alone", *_cells(must_us), 1.0))
    found = transports(12 if quick else 60)
    floor_us = _undisturbed(found.alone_us)
    rows.append((f"{MEMCPY}, and read", *_cells(found.alone_us), 1.0))
    for name in WAYS:
        taken_us = found.one_by_one_us[name]
        rows.append((f"{name}, one by one", *_cells(taken_us), _undisturbed(taken_us) / floor_us))
    for name in WAYS:
        rate = found.frames_per_s[name]
        rows.append((f"{name}, {AHEAD} ahead: frames/s (over the ring's)", rate, "", rate / found.frames_per_s[RING]))
    ring_us = _undisturbed(found.one_by_one_us[RING])
    return Measured(
        title="1280x1024 Mono8, 1.3 MB a frame; us of a frame, and over the plain memcpy (and resize) in the same run; between "
        f"two processes: from the camera's buffer until the other one has read every pixel and said so, {os.cpu_count()} cores",
        columns=["what", "p50", "p10", "p10 over plain"],
        rows=rows,
        figures=[
            Figure("frame_path_over_must", max(over_must)),
            Figure("ring_over_memcpy", ring_us / floor_us),
            Figure("ring_over_queue", ring_us / _undisturbed(found.one_by_one_us[QUEUE])),
            Figure("ring_over_zmq_frames", ring_us / _undisturbed(found.one_by_one_us[ZMQ])),
            Figure("ring_frames_per_s", found.frames_per_s[RING]),
        ],
    )


def _cells(us: list[float]) -> tuple[float, float]:
    return float(np.percentile(us, 50)), _undisturbed(us)


def _undisturbed(us: list[float]) -> float:
    """The lower tenth: what else the machine does falls on the others."""
    return float(np.percentile(us, 10))


if __name__ == "__main__":
    sys.exit(main("ring", measure))
