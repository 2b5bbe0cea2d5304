"""`datumd parity`: the same keypoints and defects from every backend and precision?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.parity import Row

MOST_IMAGES = 200


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "parity",
        help="compare the keypoints and defects of every backend and precision",
        description="Inspect the reference frames of a sealed recipe, and other images, on every backend and in every "
        "precision that is present, and print how far keypoints lie from where they belong: where they were when the "
        "recipe was sealed, and in other images where onnxruntime finds them in fp32. Where the recipe looks for defects, how "
        "much of their masks is the same (IoU), how far boundaries moved, in cells of the mask, and how far scores did.",
        epilog="Example: datumd parity recipes/bracket --images shots/   "
        "Exit code 1: a backend or precision that is present is over the recipe's limit.",
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe's folder, sealed")
    parser.add_argument(
        "--images",
        action="append",
        default=[],
        metavar="[VIEW=]DIR|COCO",
        help="compare on a folder of images, or on those of a COCO file, too",
    )
    parser.add_argument("--count", type=int, default=32, metavar="N", help="of so many of them (default: %(default)s)")
    parser.add_argument(
        "--repeat", type=int, default=3, metavar="N", help="times each frame is run (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the networks (default: %(default)s)")
    parser.add_argument("--plans", default="", metavar="DIR", help="another cache of plans, as that of datumd build")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table. 1 where what is present is over the limit."""
    import cv2

    from pipeline.commands.view_images import spread, view_images
    from pipeline.inspector import Inspector
    from pipeline.parity import REFERENCE, cases, parity
    from pipeline.plans import plans_folder
    from pipeline.recipe import load_recipe

    if not (1 <= args.count <= MOST_IMAGES and 1 <= args.repeat <= 100 and 1 <= args.threads <= 64):
        raise ConfigError(
            f"--count {args.count} --repeat {args.repeat} --threads {args.threads}",
            allowed=f"--count 1 to {MOST_IMAGES}, --repeat 1 to 100, --threads 1 to 64",
        )
    cv2.setNumThreads(1)
    recipe = load_recipe(args.recipe)
    images = {
        view: spread(paths, args.count) for view, paths in view_images(args.recipe, args.images, "--images").items()
    }
    others = cases(images, Inspector.load(recipe, backend=REFERENCE)) if images else []
    rows = parity(recipe, others, repeat=args.repeat, threads=args.threads, plans=plans_folder(args.plans))
    frames = sum(len(view.references) for view in recipe.views.values())
    print(f"{recipe.name}: {frames} reference frame(s), {len(others)} other(s); allowed {recipe.limit_px} px")
    masks = f" {'IoU':>7} {'edge':>6} {'score':>6}" if any(row.masks for row in rows) else ""
    print(
        f"{'backend':<13} {'precision':<9} {'p50 px':>7} {'p99 px':>7} {'max px':>7} {'visibility':>10} {'ms':>7} {'':>6}{masks}"
    )
    base_ms = next((row.network_ms for row in rows if (row.backend, row.precision) == (REFERENCE, "fp32")), 0.0)
    for row in rows:
        print(_line(row, base_ms))
    return 1 if any(row.refused for row in rows) else 0


def _line(row: "Row", base_ms: float) -> str:
    name = f"{row.backend:<13} {row.precision:<9}"
    if row.missing:
        return f"{name} missing: {row.missing}"
    if not row.network_ms:
        return f"{name} REFUSED: {row.refused}"
    ratio = f"{row.network_ms / base_ms:.2f}x" if base_ms else ""
    figures = f"{row.px.p50:7.3f} {row.px.p99:7.3f} {row.px.max:7.3f} {row.probability:10.3f} {row.network_ms:7.2f} {ratio:>6}"
    if row.masks is not None:
        figures += f" {row.masks.iou:7.4f} {row.masks.boundary_cells:6.1f} {row.masks.score:6.3f}"
    return f"{name} {figures}" + (f"  OVER: {row.refused}" if row.refused else "")
