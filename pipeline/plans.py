"""TensorRT plans of a recipe: where this machine keeps them, and for how many images at a time they are made."""

import os
from pathlib import Path

from engines.plan import Profile
from pipeline.recipe import ViewRecipe

SYSTEM = Path("/var/cache/datumd")  # systemd's CacheDirectory of the service
FOLDER = "plans"
UNKNOWN_PARTS = 16  # in a frame, where the recipe does not say; more are run in pieces
MOST_ROWS = 1024  # of one run, likewise


def plans_folder(configured: str = "") -> Path:
    """Where plans lie: as the station says, else in the machine's cache, else in the user's if he has a home."""
    if configured:
        return Path(configured)
    system = SYSTEM.is_dir() and os.access(SYSTEM, os.X_OK)
    if system:
        return SYSTEM / FOLDER
    try:
        return Path.home() / ".cache/datumd" / FOLDER
    except RuntimeError:  # a user without a home, as a container's: no plan is found there, and none can be written
        return SYSTEM / FOLDER


def profiles(view: ViewRecipe) -> dict[Path, Profile]:
    """The batch sizes of each of a view's networks: a row for every part, of the refine network for every keypoint, too.

    The networks that find defects see one part at a time, and are run only where the recipe looks for defects.
    """
    locate = view.settings.locate
    parts = 1 if locate.fixed is not None else len(locate.nests or []) or locate.count
    found = {view.coarse: _profile(parts, 1)}
    if view.posed is not None:
        found[view.posed] = _profile(parts, 1)
    if view.refine is not None:
        found[view.refine] = _profile(parts, len(view.settings.keypoints))
    if view.segment is not None and view.settings.segment is not None:
        found |= {view.segment.encoder: _profile(1, 1), view.segment.decoder: _profile(1, 1)}
    return found


def _profile(parts: int | None, rows: int) -> Profile:
    usual = min(MOST_ROWS, (parts or 1) * rows)
    most = (parts or UNKNOWN_PARTS) * rows
    return Profile(usual, min(MOST_ROWS, 1 << (most - 1).bit_length()))
