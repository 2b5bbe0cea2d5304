"""An image file: its size from its first bytes, then its pixels."""

from collections.abc import Hashable

from pipeline.camera.image_file import read_image
from pipeline.camera.image_size import LARGEST_PIXELS, image_size
from pipeline.errors import CameraError
from tests.fuzz import workspace
from tests.fuzz.target import Target, refused

MOST_DECODED = 1 << 20  # px: more is within the limit, but would make a slow campaign


def execute(data: bytes) -> Hashable:
    """What has a size is decoded to that size, or refused."""
    path = workspace.folder("image") / "image"
    path.write_bytes(data)
    try:
        width, height = image_size(path)
        assert 0 < width * height <= LARGEST_PIXELS
        if width * height > MOST_DECODED:
            return "large"
        return "good", data[:2], read_image(path, colour=False).shape == (height, width)
    except CameraError as error:
        return refused(error)


TARGET = Target("image", execute)
