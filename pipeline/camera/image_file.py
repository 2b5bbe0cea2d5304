"""Decoding an image file whose size is known before: one that would fill the memory is refused."""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.camera.image_size import size_in
from pipeline.errors import CameraError, DatumdError

LARGEST_BYTES = 1 << 30


def read_image(path: Path, *, colour: bool, error: type[DatumdError] = CameraError) -> NDArray[np.uint8]:
    """The image as stored, a rotation noted in EXIF not applied: (h, w) grey, or (h, w, 3) blue, green, red if `colour`.

    Raises:
        error: no plain file, no png, jpg, bmp or tif that can be decoded, of more pixels than a frame may have, or of more
            than LARGEST_BYTES.
    """
    return decode_image(plain_file.read(path, LARGEST_BYTES, error), path, colour=colour, error=error)


def decode_image(
    content: bytes, path: Path, *, colour: bool, error: type[DatumdError] = CameraError
) -> NDArray[np.uint8]:
    """As `read_image`, of what is in the file already; `path` is what it is called in messages."""
    try:
        width, height = size_in(io.BytesIO(content), path)
    except CameraError as problem:
        raise error(problem.what, where=problem.where, allowed=problem.allowed) from None
    flag = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (height, width):
        raise error("cannot be decoded", where=str(path), allowed="png, jpg, bmp, tif of 8 bits")
    return np.asarray(image, np.uint8)
