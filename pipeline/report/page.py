"""A report for people: text for the terminal, a page, and CSV."""

from collections.abc import Iterator
from html import escape

from pipeline.replay import page as html
from pipeline.replay.trial_text import table_lines
from pipeline.report.production import Production
from pipeline.report.tables import Rows, local, tables
from pipeline.version import version


def lines(found: Production, title: str) -> Iterator[str]:
    """Text, a line at a time."""
    yield title
    for name, about in facts(found):
        yield f"{name}: {about}"
    for name, rows in tables(found).items():
        yield ""
        yield name
        yield from (f"  {line.rstrip()}" for line in table_lines(rows))


def page(found: Production, title: str) -> str:
    """HTML that needs nothing beside it."""
    body = [f"<h1>{escape(title)}</h1>", html.facts(facts(found))]
    for name, rows in tables(found).items():
        body += html.section(name, html.numbers(rows))
    return html.page(title, body)


def cells(found: Production, title: str) -> Iterator[Rows]:
    """CSV, a block of rows at a time: the name of the table before each of its lines."""
    yield [("report", title)]
    yield [("report", name, about) for name, about in facts(found)]
    for name, rows in tables(found).items():
        yield [(name, *row) for row in rows]


def facts(found: Production) -> list[tuple[str, str]]:
    """What the report is of."""
    seen = "nothing"
    if found.first_ns is not None and found.last_ns is not None:
        seen = f"{local(found.first_ns)} to {local(found.last_ns)}"
    passed = "-" if found.passed is None else f"{found.passed:.2%} of {found.results} parts"
    return [
        ("passed", passed),
        ("answers", seen),
        ("without an answer", f"{found.paused_s:.0f} s in pauses of {found.least_pause_s:g} s or more"),
        ("starts of the ledger", str(len(found.sessions))),
        ("made by", f"datumd {version()}"),
    ]
