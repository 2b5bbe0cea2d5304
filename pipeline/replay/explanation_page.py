"""A verdict that was opened again, as one page that needs nothing beside it: the pictures are in it, and no script is."""

import base64
from collections.abc import Iterator
from html import escape

import cv2

from pipeline.overlay import draw, segments
from pipeline.pixels import whole_grey8
from pipeline.recipe import Recipe
from pipeline.replay.explanation import Explanation
from pipeline.replay.explanation_text import (
    audit_lines,
    difference_lines,
    difference_lists,
    measurement_rows,
    summary,
)
from pipeline.replay.page import facts, figure, lines, numbers, page, section

JPEG_QUALITY = 85


def explanation_page(told: Explanation) -> str:
    """HTML, whole."""
    title = f"Result {told.asked.result_id}"
    verdict = f"{told.asked.result_evaluation.value} {told.asked.disposition.value}"
    body = [
        f"<h1>{escape(title)} <span class='verdict'>{escape(verdict)}</span></h1>",
        facts(list(summary(told))),
        *_pictures(told),
        *section("Measurements", numbers(list(measurement_rows(told)))),
    ]
    for what, found in difference_lists(told):
        body += section(what.capitalize(), lines(difference_lines(found)))
    body += section("The recipe since", lines(told.changes))
    body += section("Changed at the station since", lines(audit_lines(told)))
    return page(title, body)


def pictures(told: Explanation) -> Iterator[tuple[str, str, bytes]]:
    """View, which result is drawn into it, and the picture as JPEG."""
    if told.part is None:
        return
    results = [("then", told.asked, told.recipe)]
    for name, attempt in (("again", told.again), ("now", told.now)):
        if attempt is not None and attempt.comparison.differences:
            index = min(told.asked.part_index, len(attempt.results) - 1)
            results.append((name, attempt.results[index], attempt.recipe))
    for view, frame in told.part.frames.items():
        grey = whole_grey8(frame)
        for name, result, recipe in results:
            drawn = draw(grey, result, view, _lines_of(recipe))
            jpeg = cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
            yield view, name, jpeg.tobytes()


def _lines_of(recipe: Recipe | None) -> dict[str, tuple[str, ...]]:
    return {} if recipe is None else segments(recipe.file.measure)


def _pictures(told: Explanation) -> list[str]:
    figures = [
        figure(f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", f"{view}, {name}")
        for view, name, jpeg in pictures(told)
    ]
    return ["<h2>Pictures</h2>", "<div class='pictures'>", *figures, "</div>"] if figures else []
