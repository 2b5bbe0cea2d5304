"""``datumd quantise``: the networks of a recipe in 16 or 8 bits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError

_EPILOG = """\
examples:
  datumd quantise recipes/bracket --precision int8 --images shots/
  datumd parity recipes/bracket --images other_shots/

RECIPE/precision/VIEW/NETWORK.PRECISION.onnx and a note beside each are written; the sealed files stay as they are.
A station takes them by precision = "int8" under [infer] in station.toml, and "datumd build" for TensorRT.
Images need no labels. Give 60 or more as the line takes them: a third of them gives the ranges of 8-bit numbers, a third
finds the layers that move keypoints too far, which stay in fp32, and a third proves what was found.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "quantise",
        help="write a recipe's networks in 16 or 8 bits",
        description="Write the networks of a sealed recipe in a lower precision, for backends that are faster in it. As "
        "many layers are lowered as leave the keypoints within the recipe's limit.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="the recipe's folder, sealed")
    parser.add_argument("--precision", required=True, choices=["fp16", "int8"], help="of the layers")
    parser.add_argument(
        "--images",
        action="append",
        default=[],
        metavar="[VIEW=]DIR|COCO",
        help="images as the line takes them (default: the recipe's reference frames, which are few)",
    )
    parser.add_argument("--count", type=int, default=96, metavar="N", help="use so many of them (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files.

    Raises:
        DatumdError: the recipe, an image or an argument cannot be used, or the extra `quantise` is not installed.
    """
    import cv2

    from calibration.quantise import ENOUGH, quantise
    from pipeline.commands.view_images import spread, view_images
    from pipeline.recipe import load_recipe

    if not 1 <= args.count <= 1000:
        raise ConfigError(f"--count is {args.count}", allowed="1 to 1000")
    cv2.setNumThreads(1)
    recipe = load_recipe(args.recipe)
    given = view_images(args.recipe, args.images, "--images")
    images = {view: spread(paths, args.count) for view, paths in given.items()}
    few = [view for view in recipe.views if len(images.get(view, ())) < ENOUGH]
    if few:
        _say(f"warning: fewer than {ENOUGH} images of view {', '.join(few)}: how far keypoints move is told from those "
             "that the ranges are from; next: --images DIR")  # fmt: skip
    written = quantise(recipe, args.precision, images, _say)
    for one in written:
        note = one.note
        kept = f", in fp32: {', '.join(note.kept)}" if note.kept else ""
        _say(f"wrote {one.path}: {note.layers - len(note.kept)} of {note.layers} layers in {note.precision}{kept}")
        if note.layers == len(note.kept):
            _say(f"warning: no layer of {one.path.name} is in {note.precision}: nothing is gained by it")
    for px in {one.path.parent.name: one.note.parity_px for one in written}.items():
        _say(
            f"{px[0]}: keypoints move by {px[1].p50} px (median), {px[1].p99} px (99th percentile), {px[1].max} px at most"
        )
    _say(f"next: datumd parity {args.recipe}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
