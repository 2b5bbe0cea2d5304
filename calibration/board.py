"""Boards to calibrate by: what is printed on them, and where each of their points lies in mm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.geometry import Points

Kind = Literal["charuco", "checker", "dots"]
MARK_SHARE = 0.7  # of a square's side
DOT_SHARE = 0.5  # diameter of a dot over the distance between two
LARGEST = 60  # squares or dots along one side
_SPEC = re.compile(r"(charuco|checker|dots):(\d{1,3})x(\d{1,3}):(\d+(?:\.\d+)?)(?:mm)?\Z")
_MARKS = {
    50: cv2.aruco.DICT_4X4_50,
    100: cv2.aruco.DICT_4X4_100,
    250: cv2.aruco.DICT_4X4_250,
    1000: cv2.aruco.DICT_4X4_1000,
}


@dataclass(frozen=True, slots=True)
class Board:
    """A flat board.

    Its frame: origin at the outer corner of the upper left square (of dots: half a pitch before the first one), x along its
    rows, y down its columns, z into it, so that the camera is at negative z.

    Attributes:
        kind: "charuco": squares with marks that tell which is which, so that a part of the board is enough; "checker":
            squares alone; "dots": round dots on a square grid.
        columns, rows: squares, or dots, along x and y.
        pitch_mm: side of a square, or distance between the middles of two dots.
    """

    kind: Kind
    columns: int
    rows: int
    pitch_mm: float

    @classmethod
    def parse(cls, text: str) -> Board:
        """A board as it is written: KIND:COLUMNSxROWS:PITCH, such as charuco:11x8:10mm.

        Raises:
            ConfigError: it is none, too small to calibrate by, or too large.
        """
        found = _SPEC.match(text)
        allowed = "KIND:COLUMNSxROWS:PITCHmm, such as charuco:11x8:10mm, checker:11x8:10mm, dots:10x8:10mm"
        if found is None:
            raise ConfigError(f"{text!r} is no board", where="--board", allowed=allowed)
        kind, columns, rows, pitch_mm = found[1], int(found[2]), int(found[3]), float(found[4])
        if not (min(columns, rows) >= 4 and max(columns, rows) <= LARGEST and 0.01 <= pitch_mm <= 1000.0):
            limits = f"4 to {LARGEST} squares or dots a side, of 0.01 to 1000 mm"
            raise ConfigError(f"{text!r} has another size", where="--board", allowed=limits)
        known: Mapping[str, Kind] = {"charuco": "charuco", "checker": "checker", "dots": "dots"}
        return cls(known[kind], columns, rows, pitch_mm)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.kind}:{self.columns}x{self.rows}:{self.pitch_mm:g}mm"

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of all squares together."""
        return self.columns * self.pitch_mm, self.rows * self.pitch_mm

    @property
    def dot_radius_mm(self) -> float:
        """Of a board of dots."""
        return self.pitch_mm * DOT_SHARE / 2.0

    @property
    def points_wh(self) -> tuple[int, int]:
        """Points along x and y: inner corners, or dots."""
        inner = 0 if self.kind == "dots" else 1
        return self.columns - inner, self.rows - inner

    @property
    def points_mm(self) -> Points:
        """Every point (N, 2), row by row."""
        width, height = self.points_wh
        first = 0.5 if self.kind == "dots" else 1.0
        x, y = np.meshgrid(np.arange(width) + first, np.arange(height) + first)
        return np.column_stack([x.ravel(), y.ravel()]) * self.pitch_mm

    def drawn(self, texels_per_pitch: int, margin: float = 1.0) -> NDArray[np.uint8]:
        """The board on white: uint8, `texels_per_pitch` to a square, with `margin` squares of white around it."""
        size = (self.columns * texels_per_pitch, self.rows * texels_per_pitch)
        if self.kind == "charuco":
            board = np.asarray(charuco(self).generateImage(size, marginSize=0, borderBits=1), np.uint8)
        elif self.kind == "checker":
            squares = np.add.outer(np.arange(self.rows), np.arange(self.columns)) % 2 * 255
            board = np.kron(squares, np.ones((texels_per_pitch, texels_per_pitch))).astype(np.uint8)
        else:
            board = self._dots(texels_per_pitch)
        white = round(margin * texels_per_pitch)
        return np.pad(board, white, constant_values=255)

    def _dots(self, texels_per_pitch: int) -> NDArray[np.uint8]:
        """Dots whose edges are grey by as much of a texel as they cover."""
        middle = (texels_per_pitch - 1) / 2
        x, y = np.meshgrid(*[np.arange(texels_per_pitch) - middle] * 2)
        covered = np.clip(DOT_SHARE / 2 * texels_per_pitch - np.hypot(x, y) + 0.5, 0.0, 1.0)
        return np.tile(np.rint(255 * (1.0 - covered)).astype(np.uint8), (self.rows, self.columns))


def charuco(board: Board) -> cv2.aruco.CharucoBoard:
    """OpenCV's description of a ChArUco board; of its sets of marks of 4 x 4 the smallest that has enough.

    Raises:
        ConfigError: none has enough.
    """
    needed = board.columns * board.rows // 2
    names = [name for most, name in _MARKS.items() if most >= needed]
    if not names:
        raise ConfigError(f"{board} needs {needed} marks", where="--board", allowed=f"{max(_MARKS)} marks at most")
    marks = cv2.aruco.getPredefinedDictionary(names[0])
    return cv2.aruco.CharucoBoard((board.columns, board.rows), board.pitch_mm, board.pitch_mm * MARK_SHARE, marks)
