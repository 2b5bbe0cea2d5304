"""Frames are copied while the ring is written to, and never are two of them one picture."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pipeline.clock import iso_utc
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.workers.pictures import FrameCopier, figures_of, jpeg

SIDE, SLOTS = 512, 3


@contextmanager
def a_ring(folder: Path) -> Iterator[FrameRing]:
    ring = FrameRing.create(folder / "ring", RingLayout(SLOTS, SIDE * SIDE, 2))
    try:
        yield ring
    finally:
        ring.close(unlink=True)


def fill(ring: FrameRing, number: int, camera: int = 0) -> FrameInfo:
    """As ledger and grab do: grant, write each byte, accept."""
    slot = number % SLOTS
    ring.grant(slot, number, camera)
    np.frombuffer(ring.payload(slot), np.uint8)[:] = number % 251
    info = FrameInfo(SIDE, SIDE, PixelFormat.Mono8, number, None, None, None, number, number * 1_000_000)
    ring.accept(slot, number, camera, info)
    return info


def test_the_named_frame_the_newest_and_none(tmp_path: Path) -> None:
    with a_ring(tmp_path) as ring:
        copier = FrameCopier(FrameRing.attach(tmp_path / "ring"), ["top", "side"])
        assert copier.copy("top", None, "") is None
        infos = [fill(ring, number, camera=number % 2) for number in (1, 2, 3)]
        named = copier.copy("side", 1, iso_utc(infos[0].received_utc_ns))
        assert named is not None
        assert (named.info, set(named.payload)) == (infos[0], {1})
        newest = copier.copy("side", None, "")
        assert newest is not None
        assert newest.info.frame_id == 3
        assert copier.copy("side", 1, iso_utc(7)) is None  # another frame that had this id
        assert copier.copy("nowhere", None, "") is None
        ring.grant(1, 9, 1)  # given away, not filled yet
        assert copier.copy("side", 1, iso_utc(infos[0].received_utc_ns)) is None
        copier.close()


def test_a_copy_is_one_frame_whole_or_nothing_while_slots_are_filled_anew(tmp_path: Path) -> None:
    with a_ring(tmp_path) as ring:
        stop = threading.Event()

        def write() -> None:
            number = 1
            while not stop.is_set():
                fill(ring, number)
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        copier = FrameCopier(FrameRing.attach(tmp_path / "ring"), ["top", "side"])
        had = missed = 0
        try:
            while had < 200 and missed < 100_000:
                frame = copier.copy("top", None, "")
                if frame is None:
                    missed += 1
                    continue
                had += 1
                shown = np.frombuffer(frame.payload, np.uint8)
                assert shown.min() == shown.max() == frame.info.frame_id % 251
        finally:
            stop.set()
            writer.join()
            copier.close()
        assert had == 200


def test_a_picture_is_made_smaller_by_means_and_its_figures_are_those_of_its_pixels() -> None:
    grey = np.full((200, 400), 100, np.uint8)
    grey[:, 200:] = 255
    small = cv2.imdecode(np.frombuffer(jpeg(grey, 50), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert small is not None
    assert small.shape == (25, 50)
    figures = figures_of(grey)
    assert (figures.saturated, figures.mean, len(figures.histogram)) == (0.5, 177.5, 64)
    assert figures.histogram[25] == figures.histogram[63] == 0.5
    assert figures.focus > 0.9
