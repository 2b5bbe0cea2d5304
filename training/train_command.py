"""``datumd train``: from labelled images to the networks of a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError, DataError, DatumdError

_EPILOG = """\
example:
  datumd render sets/train --count 8000 --seed 1 --jobs 2
  datumd train training/methods/bracket.toml --coco sets/train/annotations.json --images sets/train/images \\
      --out recipes/bracket
  datumd evaluate recipes/bracket --coco sets/test/annotations.json --images sets/test/images --json bracket.json
  datumd seal recipes/bracket

OUT/VIEW then holds coarse.onnx, refine.onnx and visibility.toml; OUT/recipe.toml is written if it is not there.
Checkpoints, curves.png and the cut images go to OUT.training/VIEW and may be deleted. A run that was killed goes
on with --resume.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "train",
        help="train a view's networks on labelled images",
        description="Train, export, check and calibrate the coarse and the refine network of one view of a recipe.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", metavar="METHOD.toml", type=Path, help="how to train; see training/methods")
    parser.add_argument("--coco", required=True, metavar="FILE", type=Path, help="COCO keypoint annotations")
    parser.add_argument("--images", required=True, metavar="DIR", type=Path, help="folder of the images")
    parser.add_argument("--out", required=True, metavar="RECIPE", type=Path, help="recipe folder to write to")
    parser.add_argument("--view", default="top", metavar="NAME", help="view of the recipe (default: %(default)s)")
    parser.add_argument(
        "--work", metavar="DIR", type=Path, help="checkpoints and curves (default: RECIPE.training/VIEW)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--seed", type=int, metavar="S", help="in place of the method's seed")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train one view.

    Raises:
        DatumdError: a file or an argument cannot be used, or the extra `train` is not installed.
    """
    import msgspec

    from training.labels.coco import read_coco
    from training.method import load_method

    if args.threads < 1:
        raise DataError(f"--threads is {args.threads}", allowed="1 or more")
    if args.seed is not None and args.seed < 0:
        raise DataError(f"--seed is {args.seed}", allowed="0 or more")
    if not args.view.isidentifier():
        raise ConfigError(f"--view is {args.view!r}", allowed="letters, digits and _")
    method = load_method(args.method)
    if args.seed is not None:
        method = msgspec.structs.replace(method, seed=args.seed)
    dataset = read_coco(args.coco, args.images)
    try:
        import cv2
        import torch

        from training.recipe_file import write_recipe
        from training.train import Run, train
    except ModuleNotFoundError as problem:
        raise DatumdError(
            f"training needs {problem.name}, which is not installed", next_command="pip install 'datumd[train]'"
        ) from None
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    work = args.work or args.out.with_name(f"{args.out.name}.training") / args.view
    train(Run(method, dataset, args.out / args.view, work, args.resume, _say))
    if write_recipe(args.out / "recipe.toml", method, args.view, dataset.keypoints):
        _say(f"wrote {args.out / 'recipe.toml'}: add what must be present and what is measured")
    _say(f"next: datumd seal {args.out}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
