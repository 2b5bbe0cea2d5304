"""``datumd train`` of what finds defects: the part of the command that S4 needs."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError, DatumdError

if TYPE_CHECKING:
    from training.masks.sample import MaskedSet
    from training.segment_train import TrainedSegment

SAM_TINY, PROMPTED_SAM, IN_TILES = "sam_tiny", "prompted_sam", "prompted_sam_tiles"
METHODS = (PROMPTED_SAM, IN_TILES, SAM_TINY)
EPILOG = """
Defects (S4, experimental: no real SAM checkpoint has been run yet):
  prompted_sam     S4: a frozen segment-anything model, and a small network in front of it that learns where to point
  prompted_sam_tiles
                   the same in 3 x 3 images of a part, for defects that are small on it: finds more, costs ten times as much
  sam_tiny         a small model of that architecture, pretrained on shapes that it draws itself; stands in for a real one

  datumd train --method sam_tiny --teacher shufflenetv2.pth --out sam_tiny
  datumd render sets/bad --count 2000 --seed 3 --defects 0.5 --jobs 2
  datumd train --method prompted_sam --sam sam_tiny --coco sets/bad/annotations.json --images sets/bad/images \\
      --out recipes/bracket --view top
  datumd train --method prompted_sam --sam DIR --masks tiles --near-numbers 200 --out recipes/tile

--teacher FILE is a ShuffleNetV2 that was trained on photographs, as published with FastestDet: the small model learns to see
what it sees. Without it its features are too poor for S4.
--sam DIR is a local Hugging Face folder of a SAM (ViT-B, L, SlimSAM; ViT-H is too large for an ONNX file); nothing is ever
fetched. What the frozen encoder gives is kept in OUT.training meanwhile, up to features_gb of the method: 4 GB, in
tiles 24. A folder of masks has NAME.mask.png beside every NAME.jpg, 0 where the part is good; sub-folders are kinds, images in
a folder good/ need no mask.
In a COCO file every annotation with a segmentation is a defect, and one with keypoints says where a part is. Good parts
belong to the set. Keypoints tell the networks in tiles where on the part they look: those of a COCO file, and on parts with
fewer than three of them what the networks of RECIPE find, if it has them already. Images that look alike, and with
--near-numbers those whose names end in numbers at most so far apart, are taken for one part: they are never on both sides.
Where RECIPE/recipe.toml is there, parts are looked for as it says.
A METHOD.toml beside --method takes the place of the method as it comes: copy it from training/methods.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what training on defects needs."""
    group = parser.add_argument_group("defects")
    group.add_argument("--sam", metavar="DIR", type=Path, help="folder of the segment-anything model to freeze")
    group.add_argument(
        "--teacher", metavar="FILE", type=Path, help="what sam_tiny learns to see from: weights of a ShuffleNetV2"
    )
    group.add_argument(
        "--masks", action="append", metavar="DIR", type=Path, help="folder of images and masks, in place of --coco"
    )
    group.add_argument(
        "--near-numbers",
        type=int,
        default=0,
        metavar="N",
        help="names that end in numbers at most N apart show the same part (default: names say nothing)",
    )


def refuse(args: argparse.Namespace) -> None:
    """Raise ConfigError for arguments that belong to defects alone."""
    given = [name for name in ("sam", "teacher", "masks", "near_numbers") if getattr(args, name)]
    if given:
        name = given[0].replace("_", "-")
        method = SAM_TINY if name == "teacher" else PROMPTED_SAM
        raise ConfigError(f"--{name} belongs to defects", allowed=f"--method {method}")


def run(args: argparse.Namespace) -> int:
    """Train a small SAM, or S4.

    Raises:
        DatumdError: a file or an argument cannot be used, or the extra `train` is not installed.
    """
    if args.init is not None:
        raise ConfigError("--init belongs to keypoints", allowed="--sam DIR says what is started from")
    try:
        import cv2
        import torch
        import transformers  # noqa: F401 - so that one line says what is missing
    except ModuleNotFoundError as problem:
        raise DatumdError(
            f"training needs {problem.name}, which is not installed", next_command="pip install 'datumd[train]'"
        ) from None
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    return _sam_tiny(args) if args.method == SAM_TINY else _prompted_sam(args)


def _sam_tiny(args: argparse.Namespace) -> int:
    import msgspec

    from training.disk import writing
    from training.sam_train import train_sam
    from training.segment_method import load_sam_tiny_method

    for name in ("coco", "images", "sam", "masks"):
        if getattr(args, name):
            raise ConfigError(f"--{name} is given, and {SAM_TINY} draws what it learns from", allowed="--out DIR")
    method = load_sam_tiny_method(args.file or _shipped(SAM_TINY))
    if args.seed is not None:
        method = msgspec.structs.replace(method, seed=args.seed)
    work = args.work or args.out.with_name(f"{args.out.name}.training")
    with writing(args.out, "the same command with --resume"):
        train_sam(method, args.out, work, resume=args.resume, report=_say, teacher=args.teacher)
    _say(f"next: datumd train --method {PROMPTED_SAM} --sam {args.out} --masks DIR --out RECIPE --view NAME")
    return 0


def _prompted_sam(args: argparse.Namespace) -> int:
    import msgspec

    from pipeline.segment_thresholds import FILE_NAME
    from training.disk import writing
    from training.networks.sam import load_sam
    from training.segment_method import load_segment_method
    from training.segment_train import SegmentRun, divide_segment, train_segment

    if args.teacher is not None:
        raise ConfigError("--teacher is given, and --sam is frozen", allowed=f"--method {SAM_TINY} --teacher FILE")
    if args.sam is None:
        next_command = f"datumd train --method {SAM_TINY} --teacher FILE --out DIR"
        raise ConfigError(
            "--sam is missing", allowed="the folder of a segment-anything model", next_command=next_command
        )
    method = load_segment_method(args.file or _shipped(args.method))
    if args.seed is not None:
        method = msgspec.structs.replace(method, seed=args.seed)
    if method.network.kind != PROMPTED_SAM:
        raise ConfigError(f"network.kind is {method.network.kind!r}, which no recipe can use", allowed=PROMPTED_SAM)
    labelled, sam = _labelled(args), load_sam(args.sam)
    images = _in_groups(_placed(labelled, args) if method.network.places else labelled, args)
    train, calibration, validation = divide_segment(images, method.split, method.seed)
    good = sum(kind == "" for kind in images.kinds)
    _say(
        f"{len(images)} parts of {len(set(images.groups))} sorts, {good} of them good: {len(train)} to train, "
        f"{len(calibration)} to calibrate, {len(validation)} to validate"
    )
    work = args.work or args.out.with_name(f"{args.out.name}.training") / args.view
    with writing(args.out, "the same command with --resume"):
        done = train_segment(SegmentRun(method, sam, train, validation, work, args.resume, _say))
        _ship(done, method.tiles, sam.weights, calibration, args.out / args.view, work)
    names = ", ".join(("segment_encoder.onnx", "segment_decoder.onnx", FILE_NAME))
    _say(f"{args.out / args.view}: {names}; pictures in {work}: curves.png, worst.png")
    recipe = args.out / "recipe.toml"
    if recipe.exists():
        _say(f"next: write [view.{args.view}.segment] in {recipe}, then datumd seal {args.out}")
    else:  # the stage needs a part that is located, and keypoints
        _say(
            f"next: datumd train --method coarse_to_fine --out {args.out} makes the recipe that it belongs to, with keypoints;"
        )
        labels = "--masks DIR" if args.masks and not args.coco else "--coco FILE --images DIR --defects"
        _say(f"      datumd evaluate {args.out} --view {args.view} {labels} --labelled judges it without one")
    return 0


def _ship(
    done: TrainedSegment, tiles: tuple[int, int], weights: str, calibration: MaskedSet, folder: Path, work: Path
) -> None:
    """Export, calibrate what was exported, and put all of it into the view's folder."""
    from pipeline.segment_thresholds import FILE_NAME, write_segment_thresholds
    from training.networks.prompted_sam import PromptedSam
    from training.segment_calibrate import calibrate_segment
    from training.segment_evaluate import evaluate
    from training.segment_export import export_segment, ship_segment
    from training.segment_maps import ShippedSegment
    from training.segment_sheet import contact_sheet

    assert isinstance(done.network, PromptedSam)  # noqa: S101 - another kind was refused before
    stage = work / "networks"
    _say(f"exported: {export_segment(done.network, weights, stage, done.examples, tiles)}")
    networks = ShippedSegment(stage)
    calibrated = calibrate_segment(networks, calibration)
    for line in calibrated.lines():
        _say(line)
    write_segment_thresholds(stage / FILE_NAME, calibrated.limits)
    found = evaluate(networks, calibrated.limits, calibration)
    contact_sheet(found.parts, networks, calibrated.limits, calibration, work / "worst.png")
    ship_segment(stage, folder)


def _shipped(method: str) -> Path:
    return Path(__file__).with_name("methods") / f"{method}.toml"


def _labelled(args: argparse.Namespace) -> MaskedSet:
    """The set that the arguments name."""
    from training.masks.coco import read_coco_masks
    from training.masks.folder import read_mask_folder
    from training.masks.sample import joined

    cocos, folders = args.coco or [], args.images or []
    if len(cocos) != len(folders):
        raise DataError(f"--coco is given {len(cocos)} times, --images {len(folders)} times")
    if args.near_numbers < 0:
        raise DataError(f"--near-numbers is {args.near_numbers}", allowed="0 or more")
    sets = [read_mask_folder(folder) for folder in args.masks or []]
    sets += [read_coco_masks(coco, images) for coco, images in zip(cocos, folders, strict=True)]
    if not sets:
        raise DataError("no labels are given", allowed="--masks DIR, or --coco FILE and --images DIR")
    return joined(sets)


def _placed(images: MaskedSet, args: argparse.Namespace) -> MaskedSet:
    """The set with keypoints that the recipe has: those of the labels, where there are too few what its own networks find."""
    from pipeline.recipe_file import FILE_NAME, read_recipe_file
    from training.evaluate import locate_of
    from training.segment_regions import located, with_keypoints, with_names
    from training.shipped import ShippedView

    path, folder = args.out / FILE_NAME, args.out / args.view
    view = read_recipe_file(path).view.get(args.view) if path.exists() else None
    if view is None:  # that the recipe has no such view is told when regions are asked for
        return images
    if strange := set().union(*(one.keypoints for one in images.images)) - set(view.keypoints):
        _say(f"left out, as {path} does not have them: keypoints {', '.join(sorted(strange))}")
    images = with_names(images, view.keypoints)
    if not (folder / "coarse.onnx").exists():
        return images
    find = locate_of(view.locate, args.view)
    where = located(images, lambda image: find(image, ()))
    return with_keypoints(images, ShippedView(folder), where, partial(_progress, "parts looked at for keypoints"))


def _in_groups(images: MaskedSet, args: argparse.Namespace) -> MaskedSet:
    """What shows the same part as one group, and regions as the recipe has them, where there is one."""
    from pipeline.recipe_file import FILE_NAME, read_recipe_file
    from training.masks.grouping import same_parts
    from training.segment_regions import as_trained

    path = args.out / FILE_NAME
    view = read_recipe_file(path).view.get(args.view) if path.exists() else None
    if path.exists() and view is None:
        raise ConfigError(f"--view is {args.view!r}", where=str(path), allowed="a view of the recipe")
    images = same_parts(images, apart=args.near_numbers, progress=partial(_progress, "images compared with each other"))
    return images if view is None else as_trained(images, view.locate)


def _progress(what: str, done: int, count: int) -> None:
    if done % 200 == 0 or done == count:
        sys.stderr.write(f"{done}/{count} {what}\n")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
