"""Where names are written beside their points so that none covers another or a point."""

from __future__ import annotations

from collections.abc import Sequence

Corner = tuple[int, int]  # x, y of a box's upper left corner
Size = tuple[int, int]
_GAP = 6  # px between a point and its name
_RINGS = 6
_MARK = 5  # px from a point to the end of its cross


def place(points: Sequence[Corner], sizes: Sequence[Size], wh: Size) -> list[Corner]:
    """Corners of boxes of ``sizes`` beside ``points`` on a picture of ``wh``, all in px.

    The nearest free place around a point is taken, one point after the other; where none is free, the one that covers
    least.
    """
    marks = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in points]
    taken: list[tuple[int, int, int, int]] = []
    found = []
    for (x, y), (wide, high) in zip(points, sizes, strict=True):
        best, least = (x + _GAP, y - _GAP - high), float("inf")
        for wanted in _around(x, y, wide, high):
            left, top = (
                min(max(first, 0), max(side - own, 0))
                for first, side, own in zip(wanted, wh, (wide, high), strict=True)
            )
            box = (left, top, left + wide, top + high)
            covered = sum(_shared(box, other) for other in (*taken, *marks))
            if covered < least:
                best, least = (left, top), covered
            if not covered:
                break
        taken.append((*best, best[0] + wide, best[1] + high))
        found.append(best)
    return found


def _around(x: int, y: int, wide: int, high: int) -> list[Corner]:
    """Right, left, above and below, then the same farther away."""
    corners = []
    for ring in range(_RINGS):
        away = _GAP + ring * high
        right, left, middle = x + away, x - away - wide, x - wide // 2
        above, below = y - away - high, y + away
        corners += [(right, above), (right, below), (left, above), (left, below), (middle, above), (middle, below)]
        corners += [(right, y - high // 2), (left, y - high // 2)]
    return corners


def _shared(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> int:
    """The area that two boxes left, top, right, bottom have in common."""
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
