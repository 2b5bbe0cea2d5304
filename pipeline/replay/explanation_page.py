"""A verdict that was opened again, as one page that needs nothing beside it: the pictures are in it, and no script is."""

import base64
from collections.abc import Iterator, Sequence
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

JPEG_QUALITY = 85
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
table { border-collapse: collapse; } td, th { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; }
th { font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; }
table.numbers td, table.numbers th { border-bottom: 1px solid #8886; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8886; }
figure { margin: 0; } img { max-width: 100%; height: auto; display: block; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.verdict { font-weight: 700; }
"""


def explanation_page(told: Explanation) -> str:
    """HTML, whole."""
    title = f"Result {told.asked.result_id}"
    verdict = f"{told.asked.result_evaluation.value} {told.asked.disposition.value}"
    body = [
        f"<h1>{escape(title)} <span class='verdict'>{escape(verdict)}</span></h1>",
        _table(list(summary(told))),
        *_pictures(told),
        *_section("Measurements", _numbers(list(measurement_rows(told)))),
    ]
    for what, found in difference_lists(told):
        body += _section(what.capitalize(), _lines(difference_lines(found)))
    body += _section("The recipe since", _lines(told.changes))
    body += _section("Changed at the station since", _lines(audit_lines(told)))
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


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
        f"<figure><img alt='view {escape(view)}, {name}' src='data:image/jpeg;base64,"
        f"{base64.b64encode(jpeg).decode()}'><figcaption>{escape(view)}, {name}</figcaption></figure>"
        for view, name, jpeg in pictures(told)
    ]
    return ["<h2>Pictures</h2>", "<div class='pictures'>", *figures, "</div>"] if figures else []


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"<tr><th scope='row'>{escape(about)}</th><td>{escape(words)}</td></tr>" for about, words in rows]
    return "<table>" + "".join(lines) + "</table>"


def _numbers(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table class='numbers'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _lines(lines: Sequence[str]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""


def _section(title: str, content: str) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", content] if content else []
