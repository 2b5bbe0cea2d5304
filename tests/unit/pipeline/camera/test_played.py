"""Folders, videos and synthetic pictures as cameras."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.camera.load import open_camera
from pipeline.camera.source import Camera
from pipeline.camera_settings import CameraSettings, FolderSettings, SyntheticSettings, VideoSettings
from pipeline.errors import CameraError
from simulator.render import Occlusion, PartRenderer, frame_seed
from tests.unit.pipeline.camera.grabbing import next_frame, target_for


def endless(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    while True:
        yield np.full((height, width), seed % 256, np.uint8)
        seed += 1


def too_large(width: int, height: int, _seed: int) -> Iterator[NDArray[np.uint8]]:
    yield np.zeros((height + 1, width), np.uint8)


def nothing(_width: int, _height: int, _seed: int) -> Iterator[NDArray[np.uint8]]:
    return iter(())


ENDLESS = f"{__name__}:endless"


def save(path: Path, grey: int, width: int = 40, height: int = 30) -> None:
    assert cv2.imwrite(str(path), np.full((height, width), grey, np.uint8))


def started(settings: CameraSettings) -> tuple[Camera, bytearray]:
    camera = open_camera(settings)
    target = target_for(camera.connect())
    camera.start()
    return camera, target


def pixels(target: bytearray, *shape: int) -> NDArray[np.uint8]:
    return np.frombuffer(target, np.uint8, int(np.prod(shape))).reshape(shape)


def test_a_folder_plays_in_the_order_of_names_and_ends(tmp_path: Path) -> None:
    for name, grey in (("b.png", 20), ("a.bmp", 10), ("c.TIF", 30)):
        save(tmp_path / name, grey)
    (tmp_path / "notes.txt").write_text("no image")
    camera, target = started(FolderSettings(path=str(tmp_path)))
    seen = [(next_frame(camera, target).trigger_number, int(target[0])) for _ in range(3)]
    assert seen == [(1, 10), (2, 20), (3, 30)]
    assert camera.poll_trigger_counter() == 3
    assert camera.grab_into(memoryview(target), 0.0) is None
    assert camera.exhausted
    assert camera.grab_into(memoryview(target), 0.0) is None
    camera.stop()
    camera.start()
    assert not camera.exhausted
    assert next_frame(camera, target).trigger_number == 1


def test_a_folder_that_repeats_counts_on(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 10)
    camera, target = started(FolderSettings(path=str(tmp_path), repeat=True))
    assert [next_frame(camera, target).trigger_number for _ in range(3)] == [1, 2, 3]
    assert not camera.exhausted


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 10)
    save(tmp_path / "b.png", 10, width=30, height=40)
    with pytest.raises(CameraError, match=r"b\.png: is 30 x 40; allowed: 40 x 30 as a\.png, or pad = true"):
        open_camera(FolderSettings(path=str(tmp_path))).connect()


def test_padding_puts_smaller_images_at_the_top_left(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 10)
    save(tmp_path / "b.png", 20, width=30, height=50)
    camera, target = started(FolderSettings(path=str(tmp_path), pad=True))
    for grey, width, height in ((10, 40, 30), (20, 30, 50)):
        frame = next_frame(camera, target)
        assert (frame.width, frame.height) == (40, 50)
        expected = np.zeros((50, 40), np.uint8)
        expected[:height, :width] = grey
        np.testing.assert_array_equal(pixels(target, 50, 40), expected)


def test_colours_come_in_the_order_of_the_format(tmp_path: Path) -> None:
    blue_green_red = np.full((4, 6, 3), (10, 20, 30), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), blue_green_red)
    for name, first in (("BGR8", [10, 20, 30]), ("RGB8", [30, 20, 10])):
        settings = FolderSettings(path=str(tmp_path), pixel_format="BGR8" if name == "BGR8" else "RGB8")
        camera, target = started(settings)
        next_frame(camera, target)
        assert list(target[:3]) == first


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 10)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:40])
    camera, target = started(FolderSettings(path=str(tmp_path)))
    next_frame(camera, target)
    with pytest.raises(CameraError, match=r"b\.png: cannot be decoded"):
        camera.grab_into(memoryview(target), 0.1)


def test_a_rate_spaces_pictures_and_lets_late_ones_wait() -> None:
    camera, target = started(SyntheticSettings(width=8, height=8, rate_hz=50.0, frames=ENDLESS))
    frames = [next_frame(camera, target) for _ in range(4)]
    assert frames[-1].received_monotonic_ns - frames[0].received_monotonic_ns >= 55_000_000
    assert [frame.trigger_number for frame in frames] == [1, 2, 3, 4]
    assert camera.grab_into(memoryview(target), 0.001) is None


def test_pictures_come_for_software_triggers_only() -> None:
    camera, target = started(SyntheticSettings(width=8, height=8, triggers="software", seed=7, frames=ENDLESS))
    assert camera.grab_into(memoryview(target), 0.02) is None
    assert camera.poll_trigger_counter() == 0
    camera.trigger_software()
    camera.trigger_software()
    assert camera.poll_trigger_counter() == 2
    outcomes = [camera.grab_into(memoryview(target), 0.02) for _ in range(3)]
    assert [outcome is not None for outcome in outcomes] == [True, True, False]
    assert target[0] == 8


def test_a_limit_ends_with_its_last_picture() -> None:
    camera, target = started(SyntheticSettings(width=8, height=8, rate_hz=0.0, limit=2, frames=ENDLESS))
    next_frame(camera, target)
    assert not camera.exhausted
    next_frame(camera, target)
    assert camera.exhausted


def test_the_same_seed_renders_the_same_parts_as_the_simulated_line() -> None:
    camera, target = started(SyntheticSettings(width=640, height=512, seed=3, rate_hz=0.0))
    next_frame(camera, target)
    next_frame(camera, target)
    expected = PartRenderer("bracket", width=640, height=512).render(frame_seed(3, 1), occlusion=Occlusion.SPARSE).image
    np.testing.assert_array_equal(pixels(target, 512, 640), expected)


@pytest.mark.parametrize(
    ("frames", "what"),
    [
        ("no.such.module:frames", "No module named"),
        ("math:no_such", "no attribute"),
        ("math:sin", "takes exactly one"),
        ("math:gcd", "not iterable"),
    ],
)
def test_a_factory_that_is_none_is_named(frames: str, what: str) -> None:
    with pytest.raises(CameraError, match=f"{frames} makes no pictures .*{what}"):
        open_camera(SyntheticSettings(frames=frames)).connect()


def test_a_picture_of_the_wrong_size_is_refused() -> None:
    camera, target = started(SyntheticSettings(width=8, height=8, frames=f"{__name__}:too_large"))
    with pytest.raises(CameraError, match=r"picture 1 is uint8 \(9, 8\); allowed: uint8 \(8, 8\)"):
        camera.grab_into(memoryview(target), 0.1)


def test_a_video_plays_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(3):
        writer.write(np.full((48, 64, 3), 80 * number, np.uint8))
    writer.release()
    camera, target = started(VideoSettings(path=str(path)))
    levels = [
        (next_frame(camera, target).trigger_number, round(float(pixels(target, 48, 64).mean()))) for _ in range(3)
    ]
    assert [number for number, _ in levels] == [1, 2, 3]
    assert [level for _, level in levels] == pytest.approx([0, 80, 160], abs=3)
    assert camera.grab_into(memoryview(target), 0.0) is None
    assert camera.exhausted


def test_a_repeated_video_that_cannot_be_decoded_any_more_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    camera, target = started(VideoSettings(path=str(path), repeat=True))
    assert [next_frame(camera, target).trigger_number for _ in range(2)] == [1, 2]
    path.write_bytes(path.read_bytes()[:12])
    with pytest.raises(CameraError, match=r"a\.avi: no frame can be decoded any more; allowed: a video file"):
        camera.grab_into(memoryview(target), 0.1)


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.avi\n", b"ffconcat version 1.0\nfile other.avi\n"]
)
def test_a_play_list_leads_to_no_other_file(tmp_path: Path, content: bytes) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "other.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    (tmp_path / "list.avi").write_bytes(content)
    with pytest.raises(CameraError, match="is no video that is known"):
        open_camera(VideoSettings(path=str(tmp_path / "list.avi"))).connect()


@pytest.mark.time_limit_s(20)
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.avi")
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(CameraError, match=r"a\.avi: is not a file"):
        open_camera(VideoSettings(path=str(tmp_path / "a.avi"))).connect()
    with pytest.raises(CameraError, match=r"a\.png: is no plain file"):
        open_camera(FolderSettings(path=str(tmp_path))).connect()


@pytest.mark.parametrize(("width", "height"), [(8, 8), (8, 1024), (1280, 8)])
def test_the_smallest_synthetic_pictures_can_be_made(width: int, height: int) -> None:
    camera, target = started(SyntheticSettings(width=width, height=height, rate_hz=0.0))
    assert next_frame(camera, target).width == width


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (FolderSettings(path="/no/such/folder"), "cannot be read"),
        (VideoSettings(path="/no/such/video.avi"), "is not a file"),
        (VideoSettings(path=__file__), "is no video that is known"),
    ],
)
def test_what_cannot_be_played_is_named(settings: FolderSettings | VideoSettings, what: str) -> None:
    with pytest.raises(CameraError, match=f"{settings.path}: {what}"):
        open_camera(settings).connect()
