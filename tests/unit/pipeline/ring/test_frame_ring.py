"""The frame ring's file: formatted once, locked, sized before use, and the same for every process that maps it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import AlreadyRunning, RingError
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.loss import LossKind
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import PAGE_BYTES, SLOT_WORDS, CameraWord, HeaderWord, RingLayout, SlotWord
from pipeline.ring.left_behind import left_behind

LAYOUT = RingLayout(slots=3, slot_bytes=5000, cameras=2)


def frame_info(**changes: object) -> FrameInfo:
    given: dict[str, object] = {
        "width": 50,
        "height": 100,
        "pixel_format": PixelFormat.Mono8,
        "frame_id": 7,
        "trigger_number": 9,
        "exposure_us": 180.5,
        "camera_ns": 12345678901234,
        "received_monotonic_ns": 11,
        "received_utc_ns": 22,
    }
    return FrameInfo(**(given | changes))  # type: ignore[arg-type]  # each test changes what it names


@given(st.integers(1, 64), st.integers(1, 10**7), st.integers(1, 8))
def test_no_two_things_of_a_layout_overlap(slots: int, slot_bytes: int, cameras: int) -> None:
    layout = RingLayout(slots, slot_bytes, cameras)
    headers_end = (layout.slot_word(slots - 1, 0) + SLOT_WORDS) * 8
    assert headers_end <= layout.payload_offset(0)
    for slot in range(slots):
        assert layout.payload_offset(slot) % PAGE_BYTES == 0
        assert layout.payload_offset(slot) + slot_bytes <= layout.payload_offset(slot + 1)
    assert layout.camera_word(cameras - 1, CameraWord.losses + len(LossKind) - 1) < layout.slot_word(0, 0)


@pytest.mark.parametrize("changes", [{}, {"trigger_number": None}, {"camera_ns": None, "exposure_us": None}])
def test_a_frame_written_by_one_mapping_is_read_by_another(tmp_path: Path, changes: dict[str, object]) -> None:
    ring = FrameRing.create(tmp_path / "ring", LAYOUT)
    reader = FrameRing.attach(tmp_path / "ring")
    info = frame_info(**changes)
    ring.grant(1, 4, 0)
    ring.payload(1)[:5000] = bytes(range(250)) * 20
    assert not reader.is_open(1)
    ring.accept(1, 4, 0, info)
    assert reader.is_open(1)
    assert reader.info(1) == info
    assert bytes(reader.frame(1).payload) == bytes(range(250)) * 20
    reader.release(1, 4)
    assert ring.word(1, SlotWord.released) == 4
    ring.close_slot(1, 4)
    assert not reader.is_open(1)
    reader.close()
    ring.close(unlink=True)
    assert not (tmp_path / "ring").exists()


def test_the_memory_of_all_payloads_can_be_pinned_and_let_go_of(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", LAYOUT)
    payloads = ring.payloads
    ring.payload(1)[:3] = b"abc"
    at = LAYOUT.payload_offset(1) - LAYOUT.payload_offset(0)
    assert bytes(payloads[at : at + 3]) == b"abc"
    assert LAYOUT.payload_offset(0) % PAGE_BYTES == 0
    assert len(payloads) % PAGE_BYTES == 0
    payloads.release()
    ring.close(unlink=True)


def test_losses_are_counted_by_camera_and_kind(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", LAYOUT)
    ring.count_loss(1, LossKind.incomplete, 2)
    ring.count_loss(1, LossKind.incomplete, 1)
    assert ring.camera_losses(1) == {LossKind.incomplete: 3}
    assert ring.camera_losses(0) == {}
    ring.close(unlink=True)


def killed_ring(path: Path) -> int:
    """A ring with an unanswered frame in slot 1, an answered one in slot 0 and an unfilled slot 2; its daemon is gone. Its id."""
    ring = FrameRing.create(path, LAYOUT)
    ring.begin_session(1000)
    for slot in range(3):
        ring.grant(slot, 4 + slot, 1)
    ring.accept(0, 4, 1, frame_info())
    ring.accept(1, 5, 1, frame_info(trigger_number=10))
    ring.close_slot(0, 4)
    ring_id = ring.ring_id
    ring.close()
    return ring_id


def test_frames_that_a_killed_daemon_did_not_answer_are_known_to_the_next_one(tmp_path: Path) -> None:
    ring_id = killed_ring(tmp_path / "ring")
    FrameRing.create(tmp_path / "ring", RingLayout(slots=9, slot_bytes=100, cameras=1)).close()
    again = FrameRing.create(tmp_path / "ring", LAYOUT)
    assert again.ring_id != ring_id
    assert again.session == 0
    [(left, frames)] = left_behind(tmp_path / "ring")
    assert [(frame.ring_id, frame.slot, frame.generation, frame.camera) for frame in frames] == [(ring_id, 1, 5, 1)]
    assert frames[0].info == frame_info(trigger_number=10)
    left.unlink()
    again.close(unlink=True)
    assert left_behind(tmp_path / "ring") == []


def test_a_ring_of_another_boot_or_version_or_size_leaves_nothing(tmp_path: Path) -> None:
    for word, value in (
        (HeaderWord.boot_id, 1),
        (HeaderWord.magic, 2),
        (HeaderWord.slots, 77),
        (HeaderWord.session, 0),
    ):
        killed_ring(tmp_path / "ring")
        with (tmp_path / "ring").open("r+b") as file:
            file.seek(word * 8)
            file.write(value.to_bytes(8, "little"))
        FrameRing.create(tmp_path / "ring", LAYOUT).close(unlink=True)
        assert left_behind(tmp_path / "ring") == []


def test_a_twin_daemon_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", LAYOUT)
    with pytest.raises(AlreadyRunning, match="another datumd of this station"):
        FrameRing.create(tmp_path / "ring", LAYOUT)
    ring.close(unlink=True)
    FrameRing.create(tmp_path / "ring", LAYOUT).close(unlink=True)


def test_a_file_that_is_no_ring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ring").write_bytes(b"no" * 5000)
    with pytest.raises(RingError, match="not a frame ring"):
        FrameRing.attach(tmp_path / "ring")
    (tmp_path / "ring").write_bytes(b"")
    with pytest.raises(RingError, match="not a frame ring"):
        FrameRing.attach(tmp_path / "ring")
    with pytest.raises(RingError, match="datumd run"):
        FrameRing.attach(tmp_path / "absent")


def test_a_ring_that_does_not_fit_says_how_much_is_free() -> None:
    path = Path("/dev/shm") / f"datumd-test-{os.getpid()}.ring"  # noqa: S108 - rings live here
    with pytest.raises(RingError, match=r"no room for a frame ring of .* MiB are free"):
        FrameRing.create(path, RingLayout(slots=4096, slot_bytes=2**30, cameras=1))
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"hello", bytes(PAGE_BYTES), b"\xff" * 2 * PAGE_BYTES])
def test_a_file_that_is_no_header_is_not_answered_and_stops_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ring.1f.left").write_bytes(content)
    (tmp_path / "ring.2f.left").mkdir()
    assert left_behind(tmp_path / "ring") == [(tmp_path / "ring.1f.left", [])]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_somebody_elses_file_in_its_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.touch(mode=0o666)
    os.chown(path, 12345, 12345)
    with pytest.raises(RingError, match="somebody else"):
        FrameRing.create(path, LAYOUT)


def test_the_ring_tells_a_frame_that_was_dispatched_again(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", LAYOUT)
    ring.dispatch(0, 4, 1, 1)
    ring.release(0, 4)
    assert ring.word(0, SlotWord.again) != 4
    ring.dispatch(0, 4, 2, 1)  # `released` is 4 already, and yet it is read
    assert ring.word(0, SlotWord.again) == 4
    ring.close(unlink=True)


def test_frames_that_a_ledger_could_not_answer_are_kept_when_the_daemon_ends(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    for is_answered in (True, False):
        ring = FrameRing.create(path, LAYOUT)
        ring.begin_session(1)
        ring.grant(1, 5, 1)
        ring.accept(1, 5, 1, frame_info(trigger_number=10))
        if is_answered:
            ring.close_slot(1, 5)
        ring.keep_unanswered()
        ring.close(unlink=True)
        found = [frame.info.trigger_number for _, frames in left_behind(path) for frame in frames]
        assert found == ([] if is_answered else [10])
        assert not path.exists()
