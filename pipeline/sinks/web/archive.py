"""Images of parts that the station has kept on its disk."""

from pathlib import Path

from pipeline import plain_file
from pipeline.errors import DataError
from pipeline.evidence.image_name import parse_path
from pipeline.evidence.record import LARGEST_IMAGE_BYTES
from pipeline.result import Result


def archived_image(folder: Path, result: Result, view: str) -> bytes | None:
    """The PNG of a view of a part; None where it is not kept, or not yet.

    Args:
        folder: the state folder.
        result: as the station told it; where the image lies must be such a path as the station gives.
        view: its name.
    """
    uri = next((one.image_uri for one in result.views if one.view == view), "")
    if parse_path(uri) is None:
        return None
    try:
        return plain_file.read(folder / uri, LARGEST_IMAGE_BYTES, DataError, follow=False)
    except DataError:
        return None
