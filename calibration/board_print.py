"""A board on paper at its true size: as PDF, in lines and curves, or as PNG that says how large it is."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import Board
from pipeline.errors import ConfigError

PAPERS_MM = {
    "a5": (148, 210),
    "a4": (210, 297),
    "a3": (297, 420),
    "a2": (420, 594),
    "a1": (594, 841),
    "a0": (841, 1189),
}
_EXACT = 60  # texels to a square: marks of 0.7 squares with 6 x 6 fields fall on whole texels
_POINT_MM = 25.4 / 72.0
_MARGIN_MM = 6.0  # that printers leave white
_RULER_MM = 100.0
_TEXT_MM = 12.0  # below the board, for ruler and text
_CURVE = 0.5522847498  # of the radius: Bezier's four arcs are a circle within 0.03 %


class Box(NamedTuple):
    """A black rectangle in mm."""

    x: float
    y: float
    w: float
    h: float


def board_pdf(board: Board, paper: str) -> bytes:
    """One page with the board in its middle, a ruler and what it is.

    Raises:
        ConfigError: it does not fit on this paper.
    """
    width_mm, height_mm = _page(board, paper)
    left = (width_mm - board.size_mm[0]) / 2
    top = (height_mm - _TEXT_MM - board.size_mm[1]) / 2
    drawn = [f"{1 / _POINT_MM:.9f} 0 0 {-1 / _POINT_MM:.9f} 0 {height_mm / _POINT_MM:.9f} cm", "0 g"]
    if board.kind == "dots":
        drawn += [_circle(left + x, top + y, board.dot_radius_mm) for x, y in board.points_mm]
    else:
        boxes = _boxes(board.drawn(_EXACT, margin=0.0) < 128, board.pitch_mm / _EXACT)
        drawn += [f"{left + b.x:.6f} {top + b.y:.6f} {b.w:.6f} {b.h:.6f} re f" for b in boxes]
    drawn += _legend(board, width_mm, top + board.size_mm[1] + 3.0)
    return _pdf("\n".join(drawn), width_mm / _POINT_MM, height_mm / _POINT_MM)


def board_png(board: Board, dots_per_inch: int = 600) -> bytes:
    """The board with a square of white around it, of about so many dots an inch, exactly as many as the file says."""
    texels = max(1, round(board.pitch_mm / 25.4 * dots_per_inch / _EXACT)) * _EXACT
    encoded = cv2.imencode(".png", board.drawn(texels))[1].tobytes()
    per_metre = round(texels / board.pitch_mm * 1000)
    size = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", len(size) - 4) + size + struct.pack(">I", zlib.crc32(size))
    first = 8 + 25  # the signature and the chunk IHDR, which come first
    return encoded[:first] + chunk + encoded[first:]


def _page(board: Board, paper: str) -> tuple[float, float]:
    """Width and height of the page in mm, turned as the board is."""
    if paper not in PAPERS_MM:
        raise ConfigError(f"is {paper!r}", where="--paper", allowed=", ".join(PAPERS_MM))
    width, height = (size + 2 * _MARGIN_MM for size in board.size_mm)
    short, long = sorted((width, height + _TEXT_MM))
    is_wide = width > height + _TEXT_MM
    if short <= PAPERS_MM[paper][0] and long <= PAPERS_MM[paper][1]:
        across, down = PAPERS_MM[paper]
        return (float(down), float(across)) if is_wide else (float(across), float(down))
    fitting = [name for name, (a, b) in PAPERS_MM.items() if short <= a and long <= b]
    what = f"{board} with its margins takes {width:.0f} x {height + _TEXT_MM:.0f} mm"
    raise ConfigError(what, where=f"--paper {paper}", allowed=", ".join(fitting) or "a smaller board")


def _boxes(black: NDArray[np.bool_], mm_per_texel: float) -> Iterator[Box]:
    """Rectangles that together are what is black: runs along rows, put together over rows that are the same."""
    starts = [0, *(row for row in range(1, len(black)) if (black[row] != black[row - 1]).any()), len(black)]
    for top, bottom in itertools.pairwise(starts):
        edges = np.flatnonzero(np.diff(black[top].astype(np.int8), prepend=0, append=0))
        for left, right in edges.reshape(-1, 2):
            yield Box(*(float(v) * mm_per_texel for v in (left, top, right - left, bottom - top)))


def _circle(x: float, y: float, r: float) -> str:
    k = _CURVE * r
    arcs = [
        (x + r, y + k, x + k, y + r, x, y + r),
        (x - k, y + r, x - r, y + k, x - r, y),
        (x - r, y - k, x - k, y - r, x, y - r),
        (x + k, y - r, x + r, y - k, x + r, y),
    ]
    return f"{x + r:.6f} {y:.6f} m " + " ".join(" ".join(f"{v:.6f}" for v in arc) + " c" for arc in arcs) + " f"


def _legend(board: Board, width_mm: float, top: float) -> list[str]:
    """A line of a known length, or shorter where the page is, and the board as --board has it."""
    length = min(_RULER_MM, np.floor((width_mm - 2 * _MARGIN_MM) / 10) * 10)
    left = (width_mm - length) / 2
    ends = [f"{x:.6f} {top:.6f} 0.1 3 re f" for x in (left - 0.05, left + length - 0.05)]
    text = f"{board}. Print at 100 %. The line is {length:g} mm: measure it, and the board, before you rely on them."
    words = f"BT /F 2.6 Tf 1 0 0 -1 {left:.3f} {top + 6.5:.3f} Tm ({text}) Tj ET"
    return [*ends, f"{left:.6f} {top + 1.45:.6f} {length:.6f} 0.1 re f", words]


def _pdf(content: str, width: float, height: float) -> bytes:
    """A page of PDF 1.4 with this content; `width` and `height` in points."""
    packed = zlib.compress(content.encode("ascii"))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.6f} {height:.6f}] /Contents 4 0 R "
        "/Resources << /Font << /F 5 0 R >> >> >>".encode(),
        f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode() + packed + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    file, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(file))
        file += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(file)
    file += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    file += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    file += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(file)
