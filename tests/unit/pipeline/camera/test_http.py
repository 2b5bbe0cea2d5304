"""The camera to which pictures are sent: each trigger takes its own picture and no other."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.camera.http import MOST_PICTURES, HttpCamera
from pipeline.camera.picture_post import BACKLOG, post
from pipeline.camera.source import Loss
from pipeline.camera_settings import HttpSettings
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import FrameInfo
from pipeline.loss import LossKind
from tests.stations import any_free_port

SIZE = 16 * 8


def ticket(number: int) -> str:
    return f"{number:032}"


@pytest.fixture
def place() -> str:
    return f"127.0.0.1:{any_free_port()}"


@pytest.fixture
def camera(place: str) -> Iterator[HttpCamera]:
    made = HttpCamera(HttpSettings(token="t", width=16, height=8, bind=place))  # noqa: S106 - a file's name
    made.connect()
    made.start()
    yield made
    made.disconnect()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def send(place: str, number: int, size: int = SIZE) -> None:
    post(place, ticket(number), memoryview(bytes([number]) * size))


def test_a_trigger_takes_the_picture_of_its_ticket_whatever_came_before(camera: HttpCamera, place: str) -> None:
    for number in (7, 8, 9):
        send(place, number)
    for count, number in enumerate((8, 9, 7), start=1):
        camera.trigger_software(ticket(number))
        assert camera.poll_trigger_counter() == count
    target = bytearray(SIZE + 4)
    for count, number in enumerate((8, 9, 7), start=1):
        info = camera.grab_into(memoryview(target), 0.0)
        assert isinstance(info, FrameInfo)
        assert (info.trigger_number, info.width, info.height) == (count, 16, 8)
        assert target == bytes([number]) * SIZE + bytes(4)
    assert camera.grab_into(memoryview(target), 0.0) is None


def test_a_trigger_without_a_picture_is_refused_and_uses_no_number_up(camera: HttpCamera, place: str) -> None:
    send(place, 1)
    for other in ("", ticket(2)):
        with pytest.raises(CameraError, match="no picture was sent for this trigger"):
            camera.trigger_software(other)
    camera.trigger_software(ticket(1))
    with pytest.raises(CameraError, match="no picture"):
        camera.trigger_software(ticket(1))
    assert camera.poll_trigger_counter() == 1


def test_a_picture_that_is_too_short_is_a_loss_of_its_trigger(camera: HttpCamera, place: str) -> None:
    send(place, 1, SIZE - 1)
    camera.trigger_software(ticket(1))
    assert camera.grab_into(memoryview(bytearray(SIZE)), 0.0) == Loss(LossKind.incomplete, 1)


def test_pictures_without_triggers_fill_nothing_up(camera: HttpCamera, place: str) -> None:
    before = open_files()
    target = memoryview(bytearray(SIZE))
    for number in range(3 * MOST_PICTURES):
        send(place, number)
        assert camera.grab_into(target, 0.0) is None
    assert open_files() == before + MOST_PICTURES
    with pytest.raises(CameraError):
        camera.trigger_software(ticket(0))
    camera.trigger_software(ticket(3 * MOST_PICTURES - 1))
    camera.stop()
    assert open_files() == before


def test_who_sends_never_waits(camera: HttpCamera, place: str) -> None:
    for number in range(BACKLOG):
        send(place, number)
    with pytest.raises(CameraLost, match="takes no picture now"):  # noqa: PT012 - the kernel's backlog is one more, or not
        for number in range(BACKLOG, 2 * BACKLOG):
            send(place, number)
    camera.disconnect()
    with pytest.raises(CameraLost, match="takes no picture now"):
        send(place, 1)


def test_what_nobody_understands_is_dropped(camera: HttpCamera, place: str) -> None:
    for content in (b"", b"short", b"\xff" * 32):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(f"\0datumd-pictures-{place}")
            with Path("/dev/null").open("rb") as file:
                socket.send_fds(line, [content], [file.fileno()])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.connect(f"\0datumd-pictures-{place}")
    send(place, 5)
    camera.trigger_software(ticket(5))
    assert isinstance(camera.grab_into(memoryview(bytearray(SIZE)), 0.0), FrameInfo)


def test_who_has_connected_may_send_a_moment_later(camera: HttpCamera, place: str, tmp_path: Path) -> None:
    (tmp_path / "pixels").write_bytes(bytes(SIZE))
    target = memoryview(bytearray(SIZE))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line, (tmp_path / "pixels").open("rb") as pixels:
        line.connect(f"\0datumd-pictures-{place}")
        assert camera.grab_into(target, 0.0) is None
        socket.send_fds(line, [ticket(1).encode()], [pixels.fileno()])
    camera.trigger_software(ticket(1))
    assert isinstance(camera.grab_into(target, 0.0), FrameInfo)


def test_who_connects_and_sends_nothing_takes_nobodys_room(camera: HttpCamera, place: str) -> None:
    before = open_files()
    target = memoryview(bytearray(SIZE))
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2 * BACKLOG)]
    for line in idle:
        line.connect(f"\0datumd-pictures-{place}")
        assert camera.grab_into(target, 0.0) is None
    assert open_files() == before + len(idle) + BACKLOG
    send(place, 1)
    camera.trigger_software(ticket(1))
    for line in idle:
        line.close()
    assert isinstance(camera.grab_into(target, 0.0), FrameInfo)
    assert camera.grab_into(target, 0.0) is None
    assert open_files() == before


def test_two_cameras_of_one_address_are_refused(camera: HttpCamera, place: str) -> None:
    assert camera.exhausted is False
    twin = HttpCamera(HttpSettings(token="t", width=16, height=8, bind=place))  # noqa: S106 - a file's name
    with pytest.raises(CameraError, match="pictures are received by somebody else"):
        twin.connect()
    twin.disconnect()
