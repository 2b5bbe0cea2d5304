"""The copier against a ledger that the test plays."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.camera_settings import CameraSettings, SyntheticSettings
from pipeline.clock import utc_ns
from pipeline.config import ArchiveSettings, Station
from pipeline.evidence import record
from pipeline.evidence.image_name import image_path
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.messages import Copied, Copy, DiskReport, EvidenceHello, Stored
from pipeline.result import Evaluation
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime
from pipeline.workers.evidence import NO_ROOM, EvidenceWorker
from tests.unit.pipeline.workers.played_ledger import SESSION, Surroundings, at_work, surroundings

SIDE = 96
SLOTS = 4
RESULT = b'{"configuration_id":"ab12","seq":1}'


class Scene(Surroundings):
    """With frames in the ring."""

    @property
    def folder(self) -> Path:
        return Path(self.runtime.state_folder)

    def at_work(self) -> AbstractContextManager[None]:
        return at_work(EvidenceWorker(self.context("evidence")))

    def accept(self, slot: int, generation: int, camera: int = 1) -> bytes:
        """A frame of noise lies in a slot. Returns its payload."""
        info = FrameInfo(SIDE, SIDE, PixelFormat.Mono8, generation, 7, 900.5, None, 1, utc_ns())
        payload = np.random.default_rng(generation).integers(0, 256, SIDE * SIDE, np.uint8).tobytes()
        self.ring.grant(slot, generation, camera)
        self.ring.payload(slot)[: len(payload)] = payload
        self.ring.accept(slot, generation, camera, info)
        return payload

    def order(
        self, slot: int, generation: int, *, session: int = SESSION, evaluation: Evaluation = Evaluation.NOT_OK
    ) -> Copy:
        path = image_path(session, generation, "top", utc_ns(), evaluation)
        copy = Copy(slot, generation, generation, "top", evaluation, path, RESULT, session)
        self.ledger.tell("evidence", copy)
        return copy


@contextmanager
def scene_of(run_dir: Path, station_name: str, slot_bytes: int) -> Iterator[Scene]:
    folder = run_dir / "state"
    folder.mkdir()
    cameras: dict[str, CameraSettings] = {name: SyntheticSettings() for name in ("left", "right")}
    station = Station(format=1, station=station_name, recipes="", camera=cameras, archive=ArchiveSettings(sample_ok=1))
    runtime = Runtime(station, str(run_dir), str(folder), ["evidence"])
    with surroundings(Scene, runtime, RingLayout(SLOTS, slot_bytes, 2)) as made:
        made.ring.begin_session(SESSION)
        yield made


@pytest.fixture
def scene(run_dir: Path, station_name: str) -> Iterator[Scene]:
    with scene_of(run_dir, station_name, SIDE * SIDE) as made:
        yield made


def test_a_frame_is_copied_then_written_as_the_camera_gave_it_with_its_result(scene: Scene) -> None:
    payload = scene.accept(2, 40)
    with scene.at_work():
        assert scene.ledger.hear(EvidenceHello) == EvidenceHello(os.getpid(), SESSION)
        order = scene.order(2, 40)
        assert scene.ledger.hear(Copied, Stored) == Copied(2, 40, good=True)
        scene.accept(2, 41)  # from here on the slot is the next frame's
        assert scene.ledger.hear(Copied, Stored) == Stored(SESSION, 40, "top", order.path)
    frame, text = record.load(scene.folder / order.path)
    assert bytes(frame.payload) == payload
    assert (frame.info.frame_id, frame.info.trigger_number, frame.info.exposure_us) == (40, 7, 900.5)
    assert (text.camera, text.view, bytes(text.result)) == ("right", "top", RESULT)


def test_a_slot_that_was_given_away_is_not_copied(scene: Scene) -> None:
    scene.accept(0, 5)
    scene.ring.grant(0, 6, 0)
    with scene.at_work():
        scene.ledger.hear(EvidenceHello)
        scene.order(0, 5)
        assert scene.ledger.hear(Copied, Stored) == Copied(0, 5, good=False)
        assert scene.ledger.hear(Copied, Stored, timeout_ms=200) is None  # who gave it away knows of the loss
    assert not list(scene.folder.rglob("*.png"))


def test_what_an_earlier_ledger_ordered_is_copied_where_it_still_is_and_else_told_to_the_new_one(scene: Scene) -> None:
    scene.accept(0, 5)
    with scene.at_work():
        assert scene.ledger.hear(EvidenceHello) == EvidenceHello(os.getpid(), SESSION)
        scene.ring.begin_session(SESSION + 1)
        assert scene.ledger.hear(EvidenceHello) == EvidenceHello(os.getpid(), SESSION + 1)
        order = scene.order(0, 5)
        assert scene.ledger.hear(Copied, Stored) == Copied(0, 5, good=True)
        assert scene.ledger.hear(Copied, Stored) == Stored(SESSION, 5, "top", order.path)
        scene.ring.grant(0, 6, 0)
        scene.order(0, 5)
        assert scene.ledger.hear(Copied, Stored) == Copied(0, 5, good=False)
        lost = scene.ledger.hear(Copied, Stored)
        assert isinstance(lost, Stored)
        assert lost.fault
        assert scene.ledger.hear(Copied, Stored, timeout_ms=200) is None


def test_what_was_copied_is_written_before_the_end(scene: Scene) -> None:
    with scene.at_work():
        scene.ledger.hear(EvidenceHello)
        orders = []
        for generation in range(1, 13):
            scene.accept(generation % SLOTS, generation)
            orders.append(scene.order(generation % SLOTS, generation))
            assert scene.ledger.hear(Copied) == Copied(generation % SLOTS, generation, good=True)
    assert all((scene.folder / order.path).exists() for order in orders)


def test_more_than_memory_holds_is_lost_and_told_ok_first(run_dir: Path, station_name: str) -> None:
    slot_bytes = 100 * 2**20  # two buffers of that size fit, one of them not for OK parts
    with scene_of(run_dir, station_name, slot_bytes) as scene, (scene.folder / "images").open("w"), scene.at_work():
        scene.ledger.hear(EvidenceHello)
        scene.accept(0, 1)
        for _ in range(40):
            scene.order(0, 1, evaluation=Evaluation.OK)
            scene.order(0, 1)
        stored = [scene.ledger.hear(Stored) for _ in range(80)]
    faults = [message.fault for message in stored if isinstance(message, Stored)]
    assert len(faults) == 80
    assert faults.count(NO_ROOM) > 0
    assert all(fault == NO_ROOM or "cannot write images" in fault for fault in faults)


def test_once_a_second_it_says_how_the_disk_is(scene: Scene) -> None:
    (scene.folder / "images").write_bytes(b"")
    with scene.at_work():
        scene.ledger.hear(EvidenceHello)  # an order to somebody who is not there is lost
        scene.accept(0, 1)
        scene.order(0, 1)
        stored = scene.ledger.hear(Stored)
        assert isinstance(stored, Stored)
        assert "cannot write images" in stored.fault
        while not (report := scene.ledger.hear(DiskReport)).fault:  # type: ignore[union-attr]  # where none comes, it fails here
            pass
        assert "cannot write images" in report.fault  # type: ignore[union-attr]  # where none comes, it fails here
        (scene.folder / "images").unlink()
        while (report := scene.ledger.hear(DiskReport)).fault:  # type: ignore[union-attr]  # where none comes, it fails here
            pass
        scene.order(0, 1)
        while (report := scene.ledger.hear(DiskReport)).images == 0:  # type: ignore[union-attr]  # where none comes, it fails here
            pass
    assert isinstance(report, DiskReport)
    assert (report.images, report.fault) == (1, "")
    assert report.used_bytes > SIDE * SIDE
