"""The tables of a report, as rows of text with their heading first."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.report.production import Measured, Production
from pipeline.result import Disposition, Evaluation

Rows = Sequence[Sequence[str]]
_MOST_LINES = 50


def tables(found: Production) -> Mapping[str, Rows]:
    """By title; a table without lines is left out."""
    all_of_them = {
        "Counts": _counts(found),
        "Why parts did not pass": _pareto(found.reasons, found.results),
        "Lost: nothing could be said of the part": _losses(found),
        "Measurements": _measurements(found),
        "Recipes": [("recipe", "parts"), *[(recipe, str(count)) for recipe, count in found.recipes.most_common()]],
        "Not of production": [
            ("purpose", "parts"),
            *[(name, str(count)) for name, count in found.others.most_common()],
        ],
        f"Without an answer for {found.least_pause_s:g} s or more": _pauses(found),
        "Changes": _changes(found),
    }
    return {title: rows for title, rows in all_of_them.items() if len(rows) > 1}


def _counts(found: Production) -> Rows:
    rows = [("", "parts", "share"), ("production", str(found.results), "")]
    rows += [(one.value, *_share(found.dispositions[one], found.results)) for one in Disposition]
    rows += [(one.value, *_share(found.evaluations[one], found.results)) for one in Evaluation]
    if found.missing:
        rows.append(("expired, not counted above", str(found.missing), ""))
    return rows


def _pareto(reasons: Counter[tuple[str, str]], parts: int) -> Rows:
    rows = [("reason", "", "parts", "share")]
    rows += [(code, name, *_share(count, parts)) for (code, name), count in reasons.most_common(_MOST_LINES)]
    return rows


def _losses(found: Production) -> Rows:
    rows = [("reason", "parts", "share")]
    return rows + [(code or "not said", *_share(count, found.results)) for code, count in found.losses.most_common()]


def _measurements(found: Production) -> Rows:
    rows = [
        (
            "recipe",
            "configuration",
            "view",
            "measurement",
            "values",
            "least",
            "mean",
            "greatest",
            "sigma",
            "Cpk",
            "limits",
            "not OK",
            "open",
        )
    ]
    return rows + [
        (recipe, configuration[:8], view, name, *_measured(one))
        for (recipe, configuration, view, name, _unit), one in found.measured.items()
    ]


def _measured(one: Measured) -> tuple[str, ...]:
    spread = one.spread
    values = (spread.least, spread.mean, spread.most) if spread.count else (math.nan,) * 3
    low, high = ("" if limit is None else f"{limit:g}" for limit in (one.lower, one.upper))
    undecided = one.evaluations.total() - one.evaluations[Evaluation.OK] - one.evaluations[Evaluation.NOT_OK]
    return (
        str(spread.count),
        *(_number(value, ".6g") for value in values),
        _number(spread.sigma, ".3g"),
        _number(spread.cpk(one.lower, one.upper), ".2f"),
        f"{low} .. {high} {one.unit}".strip(),
        str(one.evaluations[Evaluation.NOT_OK]),
        str(undecided),
    )


def _pauses(found: Production) -> Rows:
    rows = [("from", "until", "s")]
    longest = sorted(found.pauses, key=lambda pause: -pause.seconds)[:_MOST_LINES]
    return rows + [(local(one.since_ns), local(one.until_ns), f"{one.seconds:.0f}") for one in longest]


def _changes(found: Production) -> Rows:
    rows = [("when", "who", "what", "before", "after")]
    return rows + [(local(one.utc_ns), one.peer, one.what, one.before, one.after) for one in found.changes]


def local(utc_ns: int) -> str:
    """In the machine's time zone."""
    return datetime.fromtimestamp(utc_ns / 1e9).astimezone().isoformat(" ", "seconds")


def _share(count: int, parts: int) -> tuple[str, str]:
    return str(count), f"{count / parts:.2%}" if parts else ""


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"
