"""``datumd calibrate visibility``: visibility thresholds and sigmas of a trained recipe, from parts that are new to it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError, DatumdError, RecipeError

_EPILOG = """\
example:
  datumd calibrate visibility recipes/bracket --coco sets/line/annotations.json --images sets/line/images
  datumd seal recipes/bracket

RECIPE/VIEW/visibility.toml and sigma.toml are rewritten; visibility.png and sigma.png, which show whether they can be
trusted, go to RECIPE.training/VIEW. The parts must be new to the networks: on those they were trained on they are
surer, and nearer, than they will be on the line.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "visibility",
        help="set thresholds and sigmas of a recipe from labelled images",
        description="Run a view's networks over labelled parts that they were not trained on, and set from what they say "
        "when a keypoint is visible, hidden or unsure, and how far off it may be.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="recipe folder")
    parser.add_argument("--coco", required=True, metavar="FILE", type=Path, help="COCO keypoint annotations")
    parser.add_argument("--images", required=True, metavar="DIR", type=Path, help="folder of the images")
    parser.add_argument("--view", metavar="NAME", help="view to calibrate; needed where the recipe has several")
    parser.add_argument(
        "--false-reject",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="share of the visible keypoints that may be taken for unsure or hidden (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate one view.

    Raises:
        DatumdError: the recipe, the set or an argument cannot be used, or the extra `train` is not installed.
    """
    import cv2
    import numpy as np

    from pipeline.network import CoarseCard, load_network
    from pipeline.recipe import load_recipe
    from training.evaluate import same_keypoints
    from training.labels.coco import read_coco
    from training.method import ViewShape
    from training.shipped import ShippedView

    try:
        from training.calibrate import calibrate_view
    except ModuleNotFoundError as problem:
        raise DatumdError(
            f"the pictures need {problem.name}, which is not installed", next_command="pip install 'datumd[train]'"
        ) from None
    if not 0.0 < args.false_reject < 0.5:
        raise ConfigError(f"--false-reject is {args.false_reject}", allowed="above 0, below 0.5")
    cv2.setNumThreads(1)
    recipe = load_recipe(args.recipe, sealed=False)
    name = args.view or (next(iter(recipe.views)) if len(recipe.views) == 1 else None)
    if name not in recipe.views:
        raise RecipeError(f"--view is {name!r}", where=str(args.recipe), allowed=", ".join(recipe.views))
    dataset = read_coco(args.coco, args.images)
    folder = args.recipe / name
    same_keypoints(ShippedView(folder), dataset, args.coco)
    card = load_network(folder / "coarse.onnx", CoarseCard).card
    view = ViewShape(recipe.views[name].settings.locate, card.small_wh, card.large_wh)
    pictures = args.recipe.with_name(f"{args.recipe.name}.training") / name
    parts = np.arange(len(dataset.parts))
    calibrated = calibrate_view(folder, dataset, parts, view, false_reject=args.false_reject, pictures=pictures)
    written = [str(folder / "visibility.toml"), *([] if calibrated.sigma is None else [str(folder / "sigma.toml")])]
    written += [str(pictures / picture) for picture in calibrated.pictures]
    lines = [*calibrated.lines(), f"wrote {', '.join(written)}", f"next: datumd seal {args.recipe}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
