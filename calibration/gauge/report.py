"""A study for people: text for the terminal, a page, and CSV with every figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from html import escape

from calibration.gauge.readings import Reading
from calibration.gauge.study import Study
from pipeline.replay import page as html
from pipeline.version import version

_JUDGED = {True: "passed", False: "failed", None: "open"}


def text(studies: Sequence[Study]) -> str:
    """One block for each measurement."""
    blocks = []
    for one in studies:
        wide = max(map(len, one.figures), default=0)
        lines = [f"{one.measurement}: {one.kind}, {_JUDGED[one.passed]}: {one.verdict}"]
        lines += [f"  {name:<{wide}}  {_shown(value)}" for name, value in one.figures.items()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def page(studies: Sequence[Study], readings: Sequence[Reading], source: str) -> str:
    """HTML that needs nothing beside it."""
    body = ["<h1>Gauge study</h1>", html.facts(_origin(readings, source))]
    judged = [(one.measurement, f"{_JUDGED[one.passed]}: {one.verdict}") for one in studies]
    body += html.section("Verdicts", html.facts(judged))
    for one in studies:
        body.append(f"<h2>{escape(one.measurement)}: {escape(one.kind)}</h2>")
        body.append(f"<p class='verdict'>{escape(_JUDGED[one.passed])}: {escape(one.verdict)}</p>")
        body += one.charts
        for title, rows in one.tables.items():
            body += html.section(title, html.numbers(rows))
        body += html.section("All figures", html.facts([(name, _shown(value)) for name, value in one.figures.items()]))
    return html.page("Gauge study", body)


def table(studies: Sequence[Study], readings: Sequence[Reading], source: str) -> str:
    """CSV: measurement, study, figure, value; every figure to its last digit."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("measurement", "study", "figure", "value"))
    writer.writerows(("", "", name, value) for name, value in _origin(readings, source))
    for one in studies:
        writer.writerow((one.measurement, one.kind, "judged", _JUDGED[one.passed]))
        writer.writerows((one.measurement, one.kind, name, value) for name, value in one.figures.items())
    return out.getvalue()


def _origin(readings: Sequence[Reading], source: str) -> list[tuple[str, str]]:
    """What the study is tied to."""
    times = sorted(one.time for one in readings if one.time)
    return [
        ("readings", f"{source}, {len(readings)} lines"),
        ("taken", f"{_to_seconds(times[0])} to {_to_seconds(times[-1])}" if times else "not said"),
        ("recipe", _each(one.recipe for one in readings)),
        ("hash of the sealed recipe", _each(one.configuration for one in readings)),
        ("evaluated by", f"datumd {version()}"),
    ]


def _to_seconds(time: str) -> str:
    """Without the fraction that results have."""
    whole, dot, _ = time.partition(".")
    return f"{whole}Z" if dot and time.endswith("Z") else time


def _each(names: Iterable[str]) -> str:
    return ", ".join(sorted({name for name in names if name})) or "not said"


def _shown(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "unlimited" if value > 0 else "none"
    return str(value)
