"""``datumd train``: from labelled images to the networks of a recipe."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pipeline.errors import ConfigError, DataError, DatumdError
from pipeline.reference_frames import FOLDER
from training import segment_command, teach_model_command

KEYPOINT_METHODS = ("regression", "template", "coarse_to_fine")
METHODS = (*KEYPOINT_METHODS, *segment_command.METHODS, teach_model_command.TEACH)
_EPILOG = """\
example:
  datumd render sets/train --count 8000 --seed 1 --jobs 2
  datumd train --method coarse_to_fine --coco sets/train/annotations.json --images sets/train/images \\
      --out recipes/bracket
  datumd evaluate recipes/bracket --coco sets/test/annotations.json --images sets/test/images --json bracket.json
  datumd seal recipes/bracket --frames sets/test/images

methods (docs/methods.md shows each of them and what it gains):
  regression       S1: all keypoints and whether they are there, from the small image
  template         S2: the same by probabilities over learnt templates, then once more on the part in its mean pose
  coarse_to_fine   S3: S1, then offsets from patches of the large image, held together by the shape model

A METHOD.toml of your own takes their place: copy one of training/methods and change it. Several sets are joined by
giving --coco and --images once for each of them. OUT/VIEW then holds the networks, visibility.toml and sigma.toml;
OUT/recipe.toml is written if it is not there. Checkpoints, pictures and the cut images go to OUT.training/VIEW and
may be deleted. A run that was killed goes on with --resume.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "train",
        help="train a view's networks on labelled images",
        description="Train, export, check and calibrate the networks of one view of a recipe: those that find keypoints, or "
        "those that find defects.",
        epilog=_EPILOG + segment_command.EPILOG + teach_model_command.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="METHOD.toml", nargs="?", type=Path, help="how to train; see training/methods")
    parser.add_argument("--method", choices=METHODS, help="one of the methods as it comes, in place of METHOD.toml")
    parser.add_argument("--coco", action="append", metavar="FILE", type=Path, help="COCO annotations")
    parser.add_argument("--images", action="append", metavar="DIR", type=Path, help="folder of the images")
    parser.add_argument("--out", required=True, metavar="RECIPE", type=Path, help="recipe folder to write to")
    parser.add_argument("--view", default="top", metavar="NAME", help="view of the recipe (default: %(default)s)")
    parser.add_argument(
        "--work", metavar="DIR", type=Path, help="checkpoints and curves (default: RECIPE.training/VIEW)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--init", metavar="FILE", type=Path, help="start from these weights: a checkpoint, or a backbone's .pth"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="in place of the method's seed")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    segment_command.add_arguments(parser)
    teach_model_command.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train one view.

    Raises:
        DatumdError: a file or an argument cannot be used, or the extra `train` is not installed.
    """
    _check(args)
    if args.method == teach_model_command.TEACH:
        return teach_model_command.run(args)
    teach_model_command.refuse(args)
    return segment_command.run(args) if args.method in segment_command.METHODS else _keypoints(args)


def _check(args: argparse.Namespace) -> None:
    """Refuse what no method can use."""
    if args.threads < 1:
        raise DataError(f"--threads is {args.threads}", allowed="1 or more")
    if args.seed is not None and args.seed < 0:
        raise DataError(f"--seed is {args.seed}", allowed="0 or more")
    if not args.view.isidentifier():
        raise ConfigError(f"--view is {args.view!r}", allowed="letters, digits and _")


def _keypoints(args: argparse.Namespace) -> int:
    import msgspec

    from training.data import joined
    from training.disk import writing
    from training.labels.coco import read_coco
    from training.method import FROM_LABELS, load_method
    from training.recipe_file import wanted_locate
    from training.view_shape import view_shape

    if (args.file is None) == (args.method is None):
        raise ConfigError("needs a METHOD.toml or --method, one of the two", allowed=f"--method {'|'.join(METHODS)}")
    segment_command.refuse(args)
    cocos, folders = args.coco or [], args.images or []
    if len(cocos) != len(folders) or not cocos:
        raise DataError(
            f"--coco is given {len(cocos)} times, --images {len(folders)} times", allowed="each once, or more"
        )
    method = load_method(args.file or Path(__file__).with_name("methods") / f"{args.method}.toml")
    if args.seed is not None:
        method = msgspec.structs.replace(method, seed=args.seed)
    dataset = joined([read_coco(coco, images) for coco, images in zip(cocos, folders, strict=True)])
    if method.view == FROM_LABELS:
        locate = wanted_locate(args.out / "recipe.toml", args.view)
        method = msgspec.structs.replace(method, view=view_shape(dataset, locate), name=args.out.name)
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
    with writing(args.out, "the same command with --resume"):
        _tried(args.out / args.view)
        train(Run(method, dataset, args.out / args.view, work, args.resume, _say, init=args.init))
        is_first = write_recipe(args.out / "recipe.toml", method, args.view, dataset.keypoints)
        if is_first:
            _say(f"wrote {args.out / 'recipe.toml'}: add what must be present and what is measured")
    _say(f"next: datumd seal {args.out}{_frames(args, is_first=is_first)}")
    return 0


def _frames(args: argparse.Namespace, *, is_first: bool) -> str:
    """A view without reference frames, which every machine tries the recipe on, is not sealed; one of before shows no part."""
    has_frames = not is_first and (args.out / args.view / FOLDER).is_dir()
    return "" if has_frames else f" --frames {args.view}={args.images[0]}"


def _tried(folder: Path) -> None:
    """Find out before hours of training that nothing can be written there; leaves nothing behind. Raises OSError."""
    present = next(path for path in (folder, *folder.parents) if path.exists())
    with tempfile.TemporaryFile(dir=present):
        pass


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
