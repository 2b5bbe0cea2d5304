"""`datumd seal`: try a recipe and lock it for production."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.sealing import ReferenceFigures


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "seal",
        help="try a recipe and lock it for production",
        description="Check a recipe folder and run its networks on reference frames, then write recipe.lock with the hash of "
        "every file, the visibility thresholds and what was found. Production refuses a recipe that was changed since. "
        "Every machine runs the reference frames when it loads the recipe, and refuses it if a keypoint lies elsewhere.",
        epilog="Example: datumd seal recipes/bracket --frames shots/   (several views: --frames top=DIR --frames side=DIR)",
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe's folder")
    parser.add_argument(
        "--frames",
        action="append",
        default=[],
        metavar="[VIEW=]DIR|COCO",
        help="take new reference frames from a folder of images, or from the images of a COCO file",
    )
    parser.add_argument(
        "--keep", type=int, default=3, metavar="N", help="reference frames to keep of each view (default 3)"
    )
    parser.add_argument(
        "--limit-px",
        type=float,
        default=0.25,
        metavar="PX",
        help="how far a keypoint may lie from its place on another machine (default 0.25)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Seal, and print what the reference frames show: the figures that `image` limits in recipe.toml."""
    from pipeline.commands.view_images import view_images
    from pipeline.sealing import seal

    if args.keep < 1 or not 0.0 < args.limit_px < 100.0:
        raise ConfigError(
            f"--keep {args.keep} --limit-px {args.limit_px}", allowed="--keep from 1 on, --limit-px above 0"
        )
    frames = view_images(args.recipe, args.frames, "--frames")
    sealed = seal(args.recipe, frames, keep=args.keep, limit_px=args.limit_px)
    for reference in sealed.references:
        _print_reference(reference)
    recipe = sealed.recipe
    for warning in recipe.warnings:
        print(f"warning: {warning}")
    print(f"sealed {args.recipe}: {recipe.name}, number {recipe.number}, configuration {recipe.configuration_id}")
    return 0


def _print_reference(reference: "ReferenceFigures") -> None:
    seen = f"{reference.visible} of {reference.keypoints} keypoints visible"
    seen += f", {reference.defects} defect(s)" if reference.defects else ""
    print(f"{reference.view}/{reference.image}: {reference.parts} part(s), {seen}")
    for figures in reference.figures:
        print(
            f"    grey {figures.grey:.0f}  saturated {figures.saturated_percent:.2f} %  sharpness {figures.sharpness:.2f}"
        )
