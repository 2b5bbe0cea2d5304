"""The recipe folder that `datumd init` makes: of one view in which nothing is taught, sealed on the camera's first picture."""

from pathlib import Path

import cv2

from pipeline.commands.first_files import VIEW, recipe_text
from pipeline.commands.found_camera import FoundCamera
from pipeline.recipe_file import FILE_NAME
from pipeline.sealing import seal
from pipeline.thresholds import FILE_NAME as THRESHOLDS_FILE
from pipeline.thresholds import write_thresholds
from pipeline.untaught import THRESHOLDS, untaught_network

_SHOT = "first.png"


def make_recipe(folder: Path, camera: FoundCamera) -> Path:
    """Make and seal the recipe in `folder`, which is named as the part is. Returns the folder.

    Raises:
        OSError: it cannot be written.
        DatumdError: it cannot be sealed: the networks' backend is missing.
    """
    view = folder / VIEW
    view.mkdir(parents=True)
    (folder / FILE_NAME).write_text(recipe_text(folder.name, camera.size_wh), encoding="utf-8")
    (view / "coarse.onnx").write_bytes(untaught_network())
    write_thresholds(view / THRESHOLDS_FILE, THRESHOLDS)
    shot = folder.parent / _SHOT
    shot.write_bytes(cv2.imencode(".png", camera.picture)[1].tobytes())
    seal(folder, {VIEW: [shot]}, keep=1)
    return folder
