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


PNG = b"\x89PNG\r\n\x1a\n"


def tiff(*entries: tuple[int, int, int]) -> bytes:
    """A directory of (tag, kind, value)."""
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed


@pytest.mark.parametrize(
    "content",
    [
        PNG + struct.pack(">I4sII", 13, b"IHDR", 100_000, 100_000),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 50_000, -50_000),
        b"BM" + bytes(12) + struct.pack("<IHH", 12, 65_535, 65_535) + bytes(4),
        b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_535, 65_535),
        tiff((256, 4, 1 << 31), (257, 4, 1 << 31)),
    ],
    ids=["png", "bmp", "os2", "jpg", "tif"],
)
def test_a_size_that_would_fill_the_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"bomb: is \d+ x \d+; allowed: 268435456 px at most"):
        image_size(path)


@pytest.mark.time_limit_s(20)
@pytest.mark.parametrize(
    "content",
    [
        PNG + struct.pack(">I4sII", 13, b"CgBI", 8, 8),
        b"\xff\xd8\xff\x01\x00\x02\xff\xc0\x00\x11\x08\x00\x08\x00\x08",  # TEM has no length: a decoder sees another SOF
        b"\xff\xd8" + b"\xff\xe1\x00\x00" * 10,
        b"\xff\xd8" + b"\xff" * 10_000_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1_000_000,
        tiff((256, 3, 8), (257, 3, 8), (256, 3, 60_000)),
        tiff((256, 16, 8), (257, 3, 8)),
    ],
    ids=["cgbi", "tem", "no length", "fill bytes", "segments", "twice", "long8"],
)
def test_what_a_decoder_may_read_otherwise_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strange"
    path.write_bytes(content)
    with pytest.raises(CameraError, match="strange: is not an image"):
        image_size(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"gone\.png: cannot be read"):
        image_size(tmp_path / "gone.png")
