"""Parts in mm through a lens with strong distortion: boards, `datumd calibrate`, a station with its file, the daemon."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dots.recipes import make_recipe
from benchmarks.lens.known_lenses import BROWN
from benchmarks.metrology.daemon_parts import RESULTS, STATION, Repeats, compared, listen
from benchmarks.metrology.disc_part import BLUR_PX, NAMES, NOISE, PAIRS, RADIUS_MM, SIDE_MM, DiscParts, distance_mm
from calibration.board_view import find_board
from calibration.rehearsal import seen_board
from pipeline.errors import DatumdError
from pipeline.lens_model import Array
from pipeline.plane_map import PlaneMap
from pipeline.sealing import seal
from simulator.plane_view import exposed, see

VIEWS = 12
HEIGHT_MM = 2.0  # of what is measured over the plane that the board lay in
REGION = (80, 0, 480, 480)  # of the part, in a picture of BROWN.image_wh
MOST_TURN, MOST_SHIFT_MM = math.radians(2.0), 0.3
_PX_PER_MM = REGION[2] / SIDE_MM
_TILT = np.array([0.06, -0.05, 0.02])  # of the plane
RECIPE = """
unit = "mm"
height_mm = {height}
[edge_circle]
{edges}
[measure]
{measures}
"""


def measure_through_lens(count: int) -> list[Repeats]:
    """Calibrate by rendered boards, inspect so many parts with `datumd run`, and compare with what was drawn."""
    with TemporaryDirectory(prefix="datumd-bench-") as made:
        folder = Path(made)
        rng = np.random.default_rng(47)
        _calibrated(folder, rng)
        (folder / "frames").mkdir()
        parts = DiscParts()
        for index in range(count):
            cv2.imwrite(str(folder / "frames" / f"{index:05d}.png"), part_frame(parts, rng))
        _recipe(folder, part_frame(parts, rng))
        station = folder / "station.toml"
        text = STATION.format(results=RESULTS, metrics="127.0.0.1:9597")
        station.write_text(text.replace('path = "frames"', 'path = "frames"\ncalibration = "top.toml"'))
        results = listen(station, count)
        per_px = 1.0 / _PX_PER_MM
        return [compared(pair, results, per_px) for pair in PAIRS]


def board_pose() -> Array:
    """Where the board's plane lies: tilted a little, so far away that the part fills REGION."""
    far_mm = float(BROWN.lens.values[0]) / _PX_PER_MM + HEIGHT_MM
    rotation = np.asarray(cv2.Rodrigues(_TILT)[0], np.float64)
    middle = np.append(np.array(BROWN.board.size_mm) / 2, 0.0)
    return np.concatenate([_TILT, np.array([0.0, 0.0, far_mm]) - rotation @ middle])


def part_frame(parts: DiscParts, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A part that lies by chance HEIGHT_MM over the board's plane, before its middle."""
    rotation = np.asarray(cv2.Rodrigues(board_pose()[:3])[0], np.float64)
    turn = np.array([0.0, 0.0, rng.uniform(-MOST_TURN, MOST_TURN)])
    turned = rotation @ np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    board_middle = np.append(
        np.array(BROWN.board.size_mm) / 2 + rng.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM, 2), -HEIGHT_MM
    )
    place = rotation @ board_middle + board_pose()[3:] - turned @ np.array([SIDE_MM / 2, SIDE_MM / 2, 0.0])
    pose = np.concatenate([np.asarray(cv2.Rodrigues(turned)[0], np.float64).ravel(), place])
    levels = see(PlaneMap(BROWN.lens, pose), parts.picture, BROWN.image_wh, around=30.0, blur_px=BLUR_PX)
    return exposed(levels, NOISE, rng, gain=rng.uniform(0.85, 1.15))


def _calibrated(folder: Path, rng: np.random.Generator) -> None:
    """FOLDER/top.toml by the commands that a user has."""
    (folder / "views").mkdir()
    taken = 0
    while taken < VIEWS:
        picture = seen_board(BROWN.lens, BROWN.view_pose(rng), BROWN.image_wh, rng, board=BROWN.board)
        if find_board(BROWN.board, "view", picture) is not None:
            cv2.imwrite(str(folder / "views" / f"{taken:02d}.png"), picture)
            taken += 1
    plane = seen_board(BROWN.lens, board_pose(), BROWN.image_wh, rng, board=BROWN.board)
    cv2.imwrite(str(folder / "plane.png"), plane)
    board, file = ["--board", str(BROWN.board)], str(folder / "top.toml")
    _datumd(["calibrate", "lens", "--images", str(folder / "views"), "--serial", "frames", *board, "-o", file])
    image = ["--image", str(folder / "plane.png"), "--length-sigma", "0"]
    _datumd(["calibrate", "plane", "--calibration", file, *image, *board])


def _datumd(words: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DatumdError(f"datumd {' '.join(words[:2])}: {done.stderr}")


def _recipe(folder: Path, reference: NDArray[np.uint8]) -> None:
    edges = [f'disc_{name} = {{ centre = "{name}", radius = {RADIUS_MM}, search = 0.8 }}' for name in NAMES]
    measures = [
        f'{one}{two} = {{ distance = ["disc_{one}", "disc_{two}"], nominal = {distance_mm((one, two))!r} }}'
        for one, two in PAIRS
    ]
    rest = RECIPE.format(height=HEIGHT_MM, edges="\n".join(edges), measures="\n".join(measures))
    recipe = make_recipe(folder / "recipes" / "discs", ["top"], region=REGION, rest=rest, sealed=False)
    cv2.imwrite(str(folder / "reference.png"), reference)
    seal(recipe, {"top": [folder / "reference.png"]}, keep=1)
