"""``datumd evaluate`` of defects: the part of the command that S4 needs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DataError, RecipeError
from pipeline.part_pose import LEAST_KEYPOINTS

if TYPE_CHECKING:
    from training.masks.sample import MaskedSet
    from training.segment_regions import Where
    from training.segment_score import SegmentReport

EPILOG = """
Defects (S4, experimental: no real SAM checkpoint has been run yet; every report names the one that is inside):
  datumd evaluate recipes/bracket --masks tiles --json tiles.json
  datumd evaluate recipes/bracket --coco sets/bad/annotations.json --images sets/bad/images --defects --json bad.json

A folder of masks has NAME.mask.png beside every NAME.jpg (0 is good), sub-folders are kinds. In a COCO file every annotation
with a segmentation is a defect, and one with keypoints says where a part is. Figures are of sensor pixels in the part's
region; a defect is found where something that was found touches it, and only those over 30 px² need be. Networks that are
told by keypoints where on the part they look are told by those that the recipe finds, as on the line. With --labelled regions
and keypoints are those of the labels, and no recipe.toml is needed: the folder of a view with its two networks will do.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what evaluating defects needs."""
    parser.add_argument(
        "--masks", metavar="DIR", type=Path, help="defects: folder of images and masks, in place of --coco"
    )
    parser.add_argument("--defects", action="store_true", help="the defects of --coco, in place of its keypoints")
    parser.add_argument(
        "--labelled",
        action="store_true",
        help="defects: take regions (whole images without) and keypoints from the labels, do not look for them",
    )


def is_asked_for(args: argparse.Namespace) -> bool:
    """Whether the arguments ask for defects. Raises DataError for some that do not go together."""
    if args.masks is not None and args.coco is not None:
        raise DataError("--masks and --coco are two sets", allowed="one of them")
    if args.labelled and not (args.defects or args.masks):
        raise DataError("--labelled belongs to defects", allowed="--masks DIR, or --coco with --defects")
    return bool(args.defects or args.masks is not None)


def run(args: argparse.Namespace) -> int:
    """Evaluate the defects of one view.

    Raises:
        DatumdError: the recipe or the set cannot be used.
    """
    import cv2
    import msgspec

    from pipeline.segment_thresholds import FILE_NAME, read_segment_thresholds
    from training.segment_evaluate import evaluate
    from training.segment_maps import ShippedSegment, WithKeypoints
    from training.segment_score import report
    from training.segment_sheet import contact_sheet

    cv2.setNumThreads(1)
    if not args.json.parent.is_dir():
        raise DataError("there is no such folder", where=f"--json: {args.json.parent}")
    images = read_masks(args)
    name, where = _view(args, images)
    shipped = ShippedSegment(args.recipe / name)
    networks = shipped if args.labelled or not shipped.keypoints else WithKeypoints(shipped, args.recipe / name)
    if args.labelled and shipped.keypoints:
        _warn_of_untold(images, shipped.keypoints)
    limits = read_segment_thresholds(args.recipe / name / FILE_NAME)
    found = evaluate(networks, limits, images, where=where, progress=_progress)
    figures = report(
        found.parts, found.counts, lost=found.lost, recipe=args.recipe.name, view=name, weights=shipped.weights
    )
    args.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    sheet = args.json.with_name(f"{args.json.stem}-worst.png")
    contact_sheet(found.parts, networks, limits, images, sheet, where=where)
    sys.stdout.write(table(figures) + f"\nfigures in {args.json}, worst parts in {sheet}\n")
    return 0


def _warn_of_untold(images: MaskedSet, keypoints: tuple[str, ...]) -> None:
    untold = sum(len(one.keypoints.keys() & set(keypoints)) < LEAST_KEYPOINTS for one in images.images)
    if untold:
        sys.stderr.write(
            f"{untold} of {len(images)} parts have fewer than {LEAST_KEYPOINTS} of these keypoints labelled: "
            f"{', '.join(keypoints)}. There the networks are not told where on the part they look, which on the line they are; "
            "next: label them in --coco, or leave out --labelled\n"
        )


def read_masks(args: argparse.Namespace) -> MaskedSet:
    """The set that --masks, or --coco and --images, name."""
    from training.masks.coco import read_coco_masks
    from training.masks.folder import read_mask_folder

    if args.masks is not None:
        return read_mask_folder(args.masks)
    if args.coco is None or args.images is None:
        raise DataError("no labels are given", allowed="--masks DIR, or --coco FILE and --images DIR")
    return read_coco_masks(args.coco, args.images)


def _view(args: argparse.Namespace, images: MaskedSet) -> tuple[str, Where]:
    """The view's name, and where its parts are looked for."""
    from pipeline.recipe import load_recipe
    from training.evaluate import locate_of
    from training.segment_maps import ENCODER
    from training.segment_regions import labelled, located

    if args.labelled:
        there = sorted(path.parent.name for path in args.recipe.glob(f"*/{ENCODER}"))
        name = args.view or (there[0] if len(there) == 1 else None)
        if name is None or name not in there:
            raise RecipeError(
                f"--view is {name!r}", where=str(args.recipe), allowed=", ".join(there) or f"VIEW/{ENCODER}"
            )
        return name, labelled(images)
    recipe = load_recipe(args.recipe, sealed=False)
    name = args.view or (next(iter(recipe.views)) if len(recipe.views) == 1 else None)
    if name not in recipe.views:
        raise RecipeError(f"--view is {name!r}", where=str(args.recipe), allowed=", ".join(recipe.views))
    find = locate_of(recipe.views[name].settings.locate, name)
    return name, located(images, lambda image: find(image, ()))


def table(result: SegmentReport) -> str:
    """The report as lines of text."""
    at = result.at_limits
    lines = [
        f"recipe {result.recipe}, view {result.view}, weights: {result.weights}",
        f"{result.parts} parts, {result.good} of them good, {result.lost} not located; {result.defects} defects that count",
        "",
        f"pixels at the calibrated limits   IoU {_number(result.iou)}  F1 {_number(result.f1)}  "
        f"precision {_number(result.precision)}  recall {_number(result.recall)}",
        f"pixels at every threshold         AP {_number(result.pixel_ap)}  AUPRO to 30% {_number(result.aupro)}",
        f"boundary of what was found        {_number(result.boundary_px, 2)} px off on average",
        f"parts                             AUROC {_number(result.image_auroc)}",
        f"at the calibrated limits          {_share(at.found)} of the defects found{_interval(at.found_interval)}, "
        f"{_share(at.good_with_alarm)} of the good parts with an alarm{_interval(at.good_interval)}",
    ]
    for row in result.at_detection:
        if row.score_above is None:
            lines.append(f"at {row.detection:.0%} detection                  fewer are found at any score")
        elif row.good_with_alarm is not None and row.alarms_per_good_part is not None:
            lines.append(
                f"at {row.detection:.0%} detection                  {row.alarms_per_good_part:.3f} false alarms per good part, "
                f"{row.good_with_alarm:.2%} of them with any{_interval(row.interval)} (score from {row.score_above:.3g})"
            )
    if result.kinds:
        kinds = "  ".join(f"{kind} {iou:.4f}" for kind, iou in result.kinds.items())
        lines += [
            "",
            f"IoU of the parts of each kind     {kinds}",
            f"their mean                        {_number(result.mean_iou)}",
        ]
    return "\n".join(lines)


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _interval(limits: tuple[float, float] | None) -> str:
    return "" if limits is None else f" (95%: {limits[0]:.2%} to {limits[1]:.2%})"


def _progress(done: int, count: int) -> None:
    if done % 100 == 0 or done == count:
        sys.stderr.write(f"{done}/{count} parts\n")
