"""``datumd render``: a set of rendered parts with its truth."""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import cv2

from pipeline.errors import DataError
from simulator.coco import COMMAND, CocoWriter, is_rendered
from simulator.contact_sheet import contact_sheet
from simulator.families import blueprint, families
from simulator.render import Occlusion, PartRenderer, Rendered, frame_seed

_SHEET_FRAMES = 17
_EPILOG = """\
examples:
  datumd render sets/train --count 10000 --seed 1 --jobs 2
  datumd render sets/test  --count 500   --seed 2
  datumd render sets/flange --count 200  --seed 1 --family flange --occlusion heavy
  datumd render sets/defects --count 2000 --seed 3 --occlusion sparse --defects 0.5

OUT then holds images/000000.png …, annotations.json (COCO keypoints; v is 2 for visible and 1 for hidden, the
field "missing" of an annotation names features that were not made) and contact_sheet.png: look at it first.
Sets with different seeds share no frame. Frame i of seed S is always the same picture.

With --defects the part in about that share of the images has one to four scratches, dents, stains or burrs; all else in
an image stays as it is without. Each is one more annotation of annotations.json with category, segmentation (COCO's
uncompressed run lengths), area, bbox and "levels", the grey levels by which it changes the picture. Masks are of what
can be seen: nothing below an occluder, nothing that drowns in the noise (such a defect is not drawn either).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "render",
        help="render parts on a conveyor with exact truth",
        description="Render parts on a conveyor, 1280 by 1024 px in grey, with exact keypoints for training and tests.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write; must be empty or new")
    parser.add_argument("--count", type=int, required=True, metavar="N", help="number of images")
    parser.add_argument("--seed", type=int, required=True, metavar="S", help="seed of the set, 0 or more")
    parser.add_argument("--family", default="bracket", metavar="NAME", help=f"one of {', '.join(families())}")
    parser.add_argument(
        "--occlusion",
        default=Occlusion.ORDINARY.value,
        choices=[level.value for level in Occlusion],
        help="how much is in the way of the camera (default: %(default)s)",
    )
    parser.add_argument(
        "--defects",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the parts with defects and their masks, 0 to 1 (default: %(default)g)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes to render with (default: 1)")
    parser.add_argument("--force", action="store_true", help="delete an earlier set in OUT first")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render the set.

    Raises:
        DatumdError: an argument is out of range, or OUT holds something already.
    """
    for name, least in (("count", 1), ("seed", 0), ("jobs", 1)):
        if getattr(args, name) < least:
            raise DataError(f"--{name} is {getattr(args, name)}", allowed=f"{least} or more")
    if not 0.0 <= args.defects <= 1.0:  # refuses what is not a number, too
        raise DataError(f"--defects is {args.defects:g}", allowed="0 to 1, the share of the parts with defects")
    keypoints = blueprint(args.family).keypoints
    _prepare(args.out, force=args.force)
    said = f"{COMMAND} --count {args.count} --seed {args.seed} --occlusion {args.occlusion}"
    if args.defects:
        said += f" --defects {args.defects:g}"
    writer = CocoWriter(args.family, keypoints, said, has_defects=args.defects > 0.0)
    writer.write(args.out / "annotations.json")  # of no image yet: says whose the folder is if this is interrupted
    sheet: dict[int, Rendered] = {}
    bad = 0
    started = time.monotonic()
    for done, (index, rendered) in enumerate(_frames(args), start=1):
        writer.add(index, f"{index:06d}.png", frame_seed(args.seed, index), rendered)
        bad += bool(rendered.defects)
        if index < _SHEET_FRAMES:
            sheet[index] = rendered
        _progress(done, args.count, time.monotonic() - started)
    writer.write(args.out / "annotations.json")
    cv2.imwrite(str(args.out / "contact_sheet.png"), contact_sheet([sheet[i] for i in sorted(sheet)], keypoints))
    defective = f", {bad} with defects" if args.defects else ""
    sys.stdout.write(
        f"{args.count} images of {args.family}{defective}, annotations.json and contact_sheet.png in {args.out}\n"
    )
    return 0


def _prepare(out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise DataError("OUT is a file", where=str(out), allowed="a new or empty folder")
    if out.exists() and any(out.iterdir()):
        if not force:
            again = "the same command with --force"
            raise DataError("OUT is not empty", where=str(out), allowed="a new or empty folder", next_command=again)
        foreign = {path.name for path in out.iterdir()} - {"images", "annotations.json", "contact_sheet.png"}
        if foreign:  # --force replaces our own sets, nothing else
            what = f"OUT holds {min(foreign)}, which is no part of a rendered set"
            raise DataError(what, where=str(out), allowed="a new or empty folder")
        if not is_rendered(out / "annotations.json"):
            what = "OUT holds a set that datumd did not render: annotations.json does not say so"
            raise DataError(what, where=str(out), allowed="a new or empty folder")
        shutil.rmtree(out)
    try:
        (out / "images").mkdir(parents=True)
    except OSError as problem:
        what = f"OUT cannot be made ({problem.strerror})"
        raise DataError(what, where=str(out), allowed="a place that you may write to") from None


def _frames(args: argparse.Namespace) -> Iterator[tuple[int, Rendered]]:
    occlusion = Occlusion(args.occlusion)
    job = partial(_render_one, args.out / "images", args.seed, args.family, occlusion, args.defects)
    if args.jobs == 1:
        yield from map(job, range(args.count))
        return
    with multiprocessing.get_context("spawn").Pool(args.jobs, _one_thread) as pool:
        yield from pool.imap(job, range(args.count), chunksize=4)


@cache
def _renderer(family: str) -> PartRenderer:
    """The renderer of this process: it takes half a second to make."""
    return PartRenderer(family)


def _one_thread() -> None:
    cv2.setNumThreads(1)  # the processes share the cores already


def _render_one(
    folder: Path, set_seed: int, family: str, occlusion: Occlusion, defects: float, index: int
) -> tuple[int, Rendered]:
    rendered = _renderer(family).render(frame_seed(set_seed, index), occlusion=occlusion, defects=defects)
    path = folder / f"{index:06d}.png"
    if not cv2.imwrite(str(path), rendered.image, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise DataError("the image cannot be written", where=str(path), allowed="a folder with room to write")
    return index, rendered


def _progress(done: int, count: int, elapsed_s: float) -> None:
    step = 1 if sys.stderr.isatty() else max(1, count // 10)
    if done % step and done != count:
        return
    rate = done / max(elapsed_s, 1e-9)
    end = "\r" if sys.stderr.isatty() and done != count else "\n"
    sys.stderr.write(f"rendered {done}/{count}  {rate:.1f} images/s  {(count - done) / rate:.0f} s left   {end}")
    sys.stderr.flush()
