"""Pages that a person works with: one HTML file each, with its photographs inside, that fetches nothing and sends nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.errors import DataError
from training.review.marked import Marked
from training.review.taught import Taught, doubtful

LONGEST_SIDE = 1600  # px of an embedded photograph, for looking at many
QUALITY = 88
_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
Picture = NDArray[np.uint8]


def review_page(
    found: Sequence[Taught], part: str, keypoints: Sequence[str], images: Path, *, least: float, pictures: int
) -> str:
    """The page on which proposals are accepted, rejected and put right.

    Args:
        found: what is proposed.
        part: what the part is called.
        keypoints: their names.
        images: the folder that file names are relative to.
        least: parts as sure as this may be accepted together.
        pictures: so many of the least certain get their photograph.

    Raises:
        DataError: an image cannot be read.
    """
    ranked = sorted(found, key=lambda one: one.sure)
    entries = [_entry(one, images, has_picture=index < pictures) for index, one in enumerate(ranked)]
    data = {"part": part, "keypoints": list(keypoints), "least": least, "parts": entries}
    return _page("Proposals", "review", data)


def mark_page(image: Path, part: str, names: Sequence[str], marked: Marked | None = None) -> str:
    """The page on which the points of a first photograph are marked; it may begin with those that are marked already.

    Raises:
        DataError: the image cannot be read.
    """
    picture = read_image(image, colour=True, error=DataError)
    height, width = picture.shape[:2]
    points = [] if marked is None else zip(marked.names, marked.xy_px.tolist(), strict=True)
    data = {
        "image": image.name,
        "width": width,
        "height": height,
        "part": part,
        "names": list(names),
        "points": [{"name": name, "x": x, "y": y} for name, (x, y) in points],
        "box": None if marked is None else marked.box,
        "picture": _embedded(picture, max(height, width)),
    }
    return _page(f"Mark {image.name}", "mark", data)


def _entry(one: Taught, images: Path, *, has_picture: bool) -> dict[str, Any]:
    part, doubts = one.part, doubtful(one)
    each = zip(part.xy_sensor_px.tolist(), part.state.tolist(), one.confidence.tolist(), one.texts, strict=True)
    picture = read_image(part.image, colour=True, error=DataError) if has_picture else None
    return {
        "file_name": part.image.relative_to(images).as_posix(),
        "width": part.image_wh[0],
        "height": part.image_wh[1],
        "box": list(part.box),
        "sure": round(one.sure, 3),
        "points": [
            {"x": x, "y": y, "v": state, "confidence": round(sure, 3), "doubt": index in doubts, "text": text}
            for index, ((x, y), state, sure, text) in enumerate(each)
        ],
        "picture": None if picture is None else _embedded(picture, LONGEST_SIDE),
    }


def _embedded(picture: Picture, longest: int) -> str:
    """A data URL; pixels as they are stored, whatever an Exif note says."""
    factor = longest / max(picture.shape[:2])
    if factor < 1.0:
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")


def _page(title: str, name: str, data: dict[str, Any]) -> str:
    """Styles, words and code of this folder in one file."""
    folder = files(__package__)
    style, body, photo, code = (
        folder.joinpath(file).read_text(encoding="utf-8")
        for file in ("page.css", f"{name}.html", "photo.js", f"{name}.js")
    )
    held = msgspec.json.encode(data).decode().replace("<", "\\u003c")  # a name may hold </script>
    shown = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{shown}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<style>\n{style}</style>\n</head>\n<body>\n{body}'
        f'<script type="application/json" id="data">{held}</script>\n<script>\n{photo}\n{code}</script>\n</body>\n</html>\n'
    )
