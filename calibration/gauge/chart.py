"""Pictures of a study as SVG within a page: dots over places, with lines across."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 260, 64, 34, 12
_APART_PX = 8.0
_COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e")
_Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Series:
    """Values over places 0, 1, 2 …; several may share a place. ``joined``: a line leads from one to the next."""

    name: str
    places: Sequence[float]
    values: Sequence[float]
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across at a value, such as a limit."""

    name: str
    value: float


def chart(
    series: Sequence[Series], labels: Sequence[str], rules: Sequence[Rule] = (), what: str = "", unit: str = ""
) -> str:
    """An SVG of dots; ``labels`` name the places, ``what`` says in words what it shows, ``unit`` what the values are in.

    Dots of several series that share a place stand side by side.
    """
    drawn = [value for one in series for value in one.values if math.isfinite(value)]
    values = drawn + [rule.value for rule in rules]
    if not drawn:
        return ""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or abs(high) * 0.01 or 1.0
    low, high = low - room, high + room
    right = _WIDTH - (
        12 + max((7 * len(rule.name) for rule in rules), default=0)
    )  # names of rules stand beside the dots

    def x(place: float) -> float:
        return _LEFT + (right - _LEFT) * (place + 0.5) / max(1, len(labels))

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)

    marks = [_tick(y(value), text) for value, text in _ticks(low, high)]
    if unit:
        marks.append(f"<text x='{_LEFT - 6}' y='{_HEIGHT - 14}' text-anchor='end'>{escape(unit)}</text>")
    every = max(1, math.ceil(len(labels) / 16))
    marks += [
        f"<text x='{x(place):.1f}' y='{_HEIGHT - 14}' text-anchor='middle'>{escape(label)}</text>"
        for place, label in enumerate(labels)
        if place % every == 0
    ]
    for rule in rules:
        at = y(rule.value)
        marks.append(
            f"<line x1='{_LEFT}' x2='{right}' y1='{at:.1f}' y2='{at:.1f}' stroke='#c00' stroke-dasharray='5 4'/>"
            f"<text x='{right + 4}' y='{at + 4:.1f}' fill='#c00'>{escape(rule.name)}</text>"
        )
    for number, one in enumerate(series):
        beside = 0.0 if one.joined else _APART_PX * (number - (len(series) - 1) / 2)
        marks.append(_dots(one, _COLOURS[number % len(_COLOURS)], x, y, beside))
    legend = "".join(
        f"<span style='color:{_COLOURS[n % len(_COLOURS)]}'>&#9679; {escape(one.name)}</span> "
        for n, one in enumerate(series)
        if one.name
    )
    return (
        f"<figure style='overflow-x:auto'><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' role='img' "
        f"aria-label='{escape(what, quote=True)}' font-size='13' fill='currentColor' "
        "style='max-width:100%;min-width:30rem'>"  # on a telephone it is moved sideways, not made too small to read
        f"{''.join(marks)}</svg><figcaption>{escape(what)} {legend}</figcaption></figure>"
    )


def _tick(at: float, text: str) -> str:
    return (
        f"<line x1='{_LEFT}' x2='{_WIDTH}' y1='{at:.1f}' y2='{at:.1f}' stroke='#8884'/>"
        f"<text x='{_LEFT - 6}' y='{at + 4:.1f}' text-anchor='end'>{text}</text>"
    )


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round values between the two, three to six of them, with as many decimals as tell them apart."""
    rough = (high - low) / 4.0
    power = math.floor(math.log10(rough))
    step = next(one for one in (1.0, 2.0, 5.0, 10.0) if one * 10.0**power >= rough * 0.999) * 10.0**power
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(number * step, f"{number * step:.{decimals}f}") for number in range(first, last + 1)]


def _dots(one: Series, colour: str, x: _Scale, y: _Scale, beside: float) -> str:
    points = [
        (x(place) + beside, y(value))
        for place, value in zip(one.places, one.values, strict=True)
        if math.isfinite(value)
    ]
    line = ""
    if one.joined and points:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        line = f"<polyline points='{path}' fill='none' stroke='{colour}'/>"
    return line + "".join(f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3' fill='{colour}'/>" for a, b in points)
