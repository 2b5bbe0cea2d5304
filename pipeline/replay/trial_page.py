"""A folder for people: what became of many parts, and pictures of those with another verdict, as it was and as it is now."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.evidence import record
from pipeline.overlay import draw
from pipeline.pixels import whole_grey8
from pipeline.replay.archive import ArchivedPart
from pipeline.replay.page import facts, figure, lines, numbers, page, paragraphs, section
from pipeline.replay.trial import Flip, Trial
from pipeline.replay.trial_text import flip_line, notes, spread_rows, verdict_rows

INDEX = "index.html"
JPEG_QUALITY = 85
GAP_PX = 16


def write_trial(
    folder: Path,
    title: str,
    about: Sequence[tuple[str, str]],
    trial: Trial,
    images: Mapping[str, ArchivedPart],
    drawn_lines: Mapping[str, Sequence[str]],
) -> int:
    """Write index.html and a picture of each part whose images are given; returns how many.

    Args:
        folder: is made; what is in it of the same name is replaced.
        title: of the page.
        about: what was tried, by what.
        trial: what became of it.
        images: the parts that are drawn, by name.
        drawn_lines: as `overlay.segments` gives.

    Raises:
        ConfigError: the folder cannot be written.
    """
    figures, count = [], 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for flip in trial.flips:
            part = images.get(flip.name)
            if part is None:
                continue
            count += 1
            for view, path in part.images.items():
                name = f"{flip.name}-{flip.now.part_index + 1}-{view}.jpg"
                (folder / name).write_bytes(_picture(path, view, flip, drawn_lines))
                figures.append(figure(quote(name), f"{view}: {flip_line(flip)}"))
        body = [f"<h1>{escape(title)}</h1>", facts(about), *paragraphs(list(notes(trial)))]
        body += section("Verdicts", numbers(list(verdict_rows(trial))))
        body += section("Measurements", numbers(list(spread_rows(trial))))
        body += section("Not inspected", lines(trial.faults))
        body += section("Another verdict now: then on the left, now on the right", "".join(figures))
        (folder / INDEX).write_text(page(title, body), encoding="utf-8")
    except OSError as problem:
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(folder)) from None
    return count


def _picture(path: Path, view: str, flip: Flip, drawn_lines: Mapping[str, Sequence[str]]) -> bytes:
    """Then and now side by side, as JPEG; grey where the image cannot be read any more."""
    try:
        grey = whole_grey8(record.load(path)[0])
    except DataError:
        grey = np.full((120, 160), 128, np.uint8)
    then, now = (draw(grey, result, view, drawn_lines) for result in (flip.then, flip.now))
    gap = np.zeros((then.shape[0], GAP_PX, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", np.hstack([then, gap, now]), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
    return jpeg.tobytes()
