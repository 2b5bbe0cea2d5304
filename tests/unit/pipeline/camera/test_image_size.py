"""Sizes read from the first bytes agree with what OpenCV decodes."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.camera.image_size import image_size
from pipeline.errors import CameraError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sizes")


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    suffix=st.sampled_from([".png", ".jpg", ".bmp", ".tif"]),
    channels=st.sampled_from([1, 3]),
)
def test_size_of_an_encoded_image(folder: Path, width: int, height: int, suffix: str, channels: int) -> None:
    image = np.full((height, width, channels), 90, np.uint8)
    path = folder / f"image{suffix}"
    path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    assert image_size(path) == (width, height)


def test_a_progressive_jpeg_with_a_thumbnail_like_segment(tmp_path: Path) -> None:
    encoded = cv2.imencode(".jpg", np.zeros((17, 23), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    inner = cv2.imencode(".jpg", np.zeros((4, 5), np.uint8))[1].tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded[:2] + segment + b"\xff" + encoded[2:])  # and a fill byte before the next marker
    assert image_size(path) == (23, 17)


def test_big_endian_tiff_with_short_sizes(tmp_path: Path) -> None:
    entries = struct.pack(">HHIHH", 256, 3, 1, 40, 0) + struct.pack(">HHIHH", 257, 3, 1, 30, 0)
    path = tmp_path / "a.tif"
    path.write_bytes(b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 2) + entries)
    assert image_size(path) == (40, 30)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xd8\xff\xda\x00\x02", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff"]
)
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"broken\.png: is not an image"):
        image_size(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"gone\.png: cannot be read"):
        image_size(tmp_path / "gone.png")
