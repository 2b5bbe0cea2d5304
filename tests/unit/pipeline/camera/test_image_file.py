"""Decoding what somebody else may have put there."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.camera.image_file import read_image
from pipeline.errors import RecipeError


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("colour", [True, False])
def test_an_image(tmp_path: Path, suffix: str, colour: bool) -> None:
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), np.full((20, 30, 3), 90, np.uint8))
    image = read_image(path, colour=colour)
    assert image.shape == ((20, 30, 3) if colour else (20, 30))
    assert abs(int(image.mean()) - 90) <= 1


@pytest.mark.parametrize("suffix", [".webp", ".ppm", ".hdr"])
def test_formats_whose_size_is_not_known_before_are_not_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(
        cv2.imencode(suffix, np.zeros((20, 30, 3), np.float32 if suffix == ".hdr" else np.uint8))[1].tobytes()
    )
    with pytest.raises(RecipeError, match=r"image\.png: is not an image; allowed: png, jpg, bmp, tif"):
        read_image(path, colour=False, error=RecipeError)


def test_pixels_that_are_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    header = struct.pack(">4sIIBBBBB", b"IHDR", 16_000, 16_000, 8, 0, 0, 0, 0)
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)))
    with pytest.raises(RecipeError, match=r"image\.png: cannot be decoded"):
        read_image(path, colour=False, error=RecipeError)
    capfd.readouterr()  # OpenCV says so, too


@pytest.mark.time_limit_s(20)
def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "image.png")
    with pytest.raises(RecipeError, match="is no plain file"):
        read_image(tmp_path / "image.png", colour=False, error=RecipeError)
