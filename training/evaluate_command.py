"""``datumd evaluate``: how good a recipe is on a labelled set."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DataError, RecipeError
from training import segment_evaluate_command

if TYPE_CHECKING:
    from training.score import Errors, Report

_EPILOG = """\
example:
  datumd render sets/test --count 500 --seed 90001
  datumd evaluate recipes/bracket --coco sets/test/annotations.json --images sets/test/images --json bracket.json

The recipe's own stages are run, locate and calibrated thresholds included; the recipe need not be sealed. Beside
FILE a contact sheet of the worst parts is written: green is the truth, blue the coarse and red the refined position.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a recipe on a labelled set",
        description="Run a recipe's stages over labelled images and tell how far keypoints are off and what is missed, "
        "or how well defects are found.",
        epilog=_EPILOG + segment_evaluate_command.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="recipe folder")
    parser.add_argument("--coco", metavar="FILE", type=Path, help="COCO keypoint annotations")
    parser.add_argument("--images", metavar="DIR", type=Path, help="folder of the images")
    parser.add_argument("--json", required=True, metavar="FILE", type=Path, help="where the figures are written")
    parser.add_argument("--view", metavar="NAME", help="view to evaluate; needed where the recipe has several")
    segment_evaluate_command.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate one view.

    Raises:
        DatumdError: the recipe or the set cannot be used.
    """
    if segment_evaluate_command.is_asked_for(args):
        return segment_evaluate_command.run(args)
    if args.coco is None or args.images is None:
        raise DataError("no labels are given", allowed="--coco FILE and --images DIR")
    import cv2
    import msgspec

    from pipeline.recipe import load_recipe
    from pipeline.sigma import FILE_NAME as SIGMA_FILE
    from pipeline.sigma import read_sigma
    from training.evaluate import evaluate, locate_of, same_keypoints
    from training.labels.coco import read_coco
    from training.score import report
    from training.shipped import ShippedView
    from training.worst_cases import contact_sheet

    cv2.setNumThreads(1)
    recipe = load_recipe(args.recipe, sealed=False)
    name = args.view or (next(iter(recipe.views)) if len(recipe.views) == 1 else None)
    if name not in recipe.views:
        raise RecipeError(f"--view is {name!r}", where=str(args.recipe), allowed=", ".join(recipe.views))
    dataset = read_coco(args.coco, args.images)
    if not args.json.parent.is_dir():
        raise DataError("there is no such folder", where=f"--json: {args.json.parent}")
    view = ShippedView(args.recipe / name)
    same_keypoints(view, dataset, args.coco)
    scored, cases = evaluate(
        view,
        recipe.views[name].thresholds,
        locate_of(recipe.views[name].settings.locate, name),
        dataset,
        sigma=read_sigma(args.recipe / name / SIGMA_FILE, view.keypoints),
        progress=_progress,
    )
    result = report(scored, view.keypoints, recipe=recipe.name, view=name)
    args.json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    sheet = args.json.with_name(f"{args.json.stem}-worst.png")
    contact_sheet(cases, view.keypoints, sheet)
    sys.stdout.write(table(result) + f"\nfigures in {args.json}, worst parts in {sheet}\n")
    return 0


def table(result: Report) -> str:
    """The report as lines of text."""
    lines = [
        f"recipe {result.recipe}, view {result.view}: {result.parts} parts, {result.lost} not found, "
        f"{result.failed:.2%} failed (not found, or a visible keypoint more than 20 px off)",
        "",
        f"{'visible keypoints, px':24}{'mean':>8}{'median':>8}{'p95':>8}{'p99':>8}  share within",
        _row("first network", result.coarse),
        *([_row("second, of the cascade", result.posed)] if result.posed else []),
        *_after_first(result),
        "",
        f"{'keypoint':24}{'mean':>8}{'median':>8}{'p95':>8}{'p99':>8}{'auc':>8}{'rejected':>10}{'accepted':>10}",
    ]
    for row in result.keypoints:
        seen, off = row.visibility, row.refined
        lines.append(
            f"{row.name:24}{off.mean:8.2f}{off.median:8.2f}{off.p95:8.2f}{off.p99:8.2f}{_number(seen.auc, 8)}"
            f"{_percent(seen.false_reject)}{_percent(seen.false_accept)}"
        )
    seen = result.visibility
    lines += [
        "",
        f"visibility AUC {_number(seen.auc)}, missing apart {_number(seen.auc_missing)}, hidden apart {_number(seen.auc_hidden)}",
        f"visible but not reported {_percent(seen.false_reject).strip()}; reported but missing "
        f"{_percent(seen.false_accept_missing).strip()}, but hidden {_percent(seen.false_accept_hidden).strip()}",
    ]
    if result.occluded:
        lines.append(
            f"hidden keypoints, refined: mean {result.occluded.mean:.2f} px, median {result.occluded.median:.2f} px, "
            f"{result.occluded.off:.2%} more than 20 px off; parts with any keypoint more than 40 px off "
            f"{result.occluded.gross_parts:.2%}"
        )
    if result.sigma:
        lines.append(
            f"sigma: {result.sigma.within_1_sigma:.1%} of the coordinates within 1 sigma (68.3% of a normal distribution), "
            f"{result.sigma.within_2_sigma:.1%} within 2 sigma (95.4%)"
        )
    return "\n".join(lines)


def _after_first(result: Report) -> list[str]:
    if result.jittered is None:  # nothing refines; a shape model may still have moved what was not seen
        return [_row("in the end", result.refined)]
    lines = [_row("refined", result.refined), _row("refined from truth ± 6", result.jittered)]
    ratio = result.refined_over_jittered
    return lines if ratio is None else [*lines, f"refined mean / that from jittered truth: {ratio:.2f}"]


def _row(name: str, errors: Errors) -> str:
    shares = "  ".join(f"{limit} {share:.1%}" for limit, share in errors.pck.items())
    return f"{name:24}{errors.mean:8.2f}{errors.median:8.2f}{errors.p95:8.2f}{errors.p99:8.2f}  {shares}"


def _number(value: float | None, width: int = 0) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>{width}}"


def _percent(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.2%}':>10}"


def _progress(done: int, count: int) -> None:
    if done % 100 == 0 or done == count:
        sys.stderr.write(f"{done}/{count} images\n")
