"""``datumd teach``: one marked photograph, or words, to labels for all others."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.review.proposing import Described, Example
    from training.review.taught import Taught
    from training.teach.proposal import FindsKeypoints

MATCH, MODEL = "match", "model"
PROPOSALS, CONFIDENT, PAGE, SHEET = "proposals.json", "confident.json", "review.html", "review.png"
_EPILOG = """\
examples:
  datumd mark photos/0001.png --out mark.html      # open it, click the points, download points.json
  datumd teach photos --support photos/0001.png --points points.json --by match --out taught
  datumd teach photos --support photos/0001.png --points points.json --model models/teach --out taught
  datumd teach photos --describe "hole: the centre of the large hole" --describe "tip: the end of the tab" \\
      --model models/teach --out taught
  datumd train --method coarse_to_fine --coco taught/confident.json --images photos --out recipes/mine

Who looks: --by match compares the photographs themselves and needs no model: rigid parts of one kind, seen from one side, in
any direction, about as large as on the first photograph. --model is a teacher that was trained (datumd train --method teach); it
also takes words. --match makes its proposals exact by matching.

OUT then holds review.html (open it in a browser: accept, reject, put points right, download accepted.json), review.png (the least
certain at a glance), proposals.json (COCO keypoints of all photographs, with the confidence of each point) and confident.json
(those parts that are as sure as --least). Points are px of the photograph, pixel centres at integers; COCO counts from the corner.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "teach",
        help="label a folder of photographs from one that is marked, or from words",
        description="Find the keypoints of one marked photograph, or those described in words, in all photographs of a folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", metavar="DIR", type=Path, help="folder of the photographs, one part on each")
    parser.add_argument("--support", metavar="IMAGE", type=Path, help="the marked photograph")
    parser.add_argument("--points", metavar="FILE", type=Path, help="its points: points.json of datumd mark, or COCO")
    parser.add_argument(
        "--describe", action="append", default=[], metavar="NAME: WORDS", help="a keypoint in words; may be given again"
    )
    parser.add_argument("--model", metavar="DIR", type=Path, help="a trained teacher")
    parser.add_argument("--by", choices=(MATCH, MODEL), help="who looks (default: model where --model is given)")
    parser.add_argument("--match", action="store_true", help="make the model's proposals exact by matching")
    parser.add_argument(
        "--turned",
        type=float,
        default=180.0,
        metavar="DEG",
        help="with --by match: how far parts are turned either way",
    )
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write; must be new or empty")
    parser.add_argument(
        "--least", type=float, default=0.7, metavar="SURE", help="of a part for confident.json (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", type=int, default=100, metavar="N", help="the least certain on the page (default: %(default)s)"
    )
    parser.add_argument("--part", metavar="NAME", help="what the part is called (default: as it was marked)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Propose, and write what a person and training need.

    Raises:
        DatumdError: an argument, a file or the model cannot be used.
    """
    import cv2

    from training.review.proposing import Example, photographs, propose

    _check(args)
    cv2.setNumThreads(args.threads)
    images = photographs(args.images)
    how = _how(args)
    _tried(args.out)
    found = propose(_teacher(args), images, how, _progress)
    part = args.part or (how.marked.part if isinstance(how, Example) else "part")
    _write(args, found, part, how.names)
    _tell(args, found, how.names)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before any image is read."""
    if (args.support is None) == (not args.describe):
        raise ConfigError(
            "what to look for is not said, or said twice",
            allowed='--support IMAGE --points FILE, or --describe "name: words"',
            next_command=f"datumd mark {args.images}/FIRST.png --out mark.html",
        )
    if args.support is not None and args.points is None:
        raise ConfigError(
            "--support needs --points",
            allowed="points.json",
            next_command=f"datumd mark {args.support} --out mark.html",
        )
    if args.model is None and args.by != MATCH:
        raise ConfigError(
            "no teacher: --model is not given",
            allowed="--model DIR, or --by match, which needs none (with --support)",
            next_command="datumd train --method teach --llm DIR --out models/teach",
        )
    if args.by == MATCH and (args.describe or args.model or args.match):
        raise ConfigError("--by match takes one marked photograph alone", allowed="--support and --points")
    if args.match and args.describe:
        raise ConfigError("--match compares with a photograph", allowed="--support and --points")
    for name, low, high in (("least", 0.0, 1.0), ("turned", 0.0, 180.0), ("pictures", 0, 2000), ("threads", 1, 64)):
        if not low <= getattr(args, name) <= high:
            raise ConfigError(f"is {getattr(args, name)}", where=f"--{name}", allowed=f"{low:g} to {high:g}")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise DataError("is there already", where=f"--out: {args.out}", allowed="a new or an empty folder")


def _tried(out: Path) -> None:
    """Find out before all photographs are looked at that nothing can be written there; leaves nothing behind."""
    present = next(path for path in (out, *out.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=present):
            pass
    except OSError as problem:
        raise DataError(f"cannot be written ({problem.strerror})", where=f"--out: {out}") from None


def _how(args: argparse.Namespace) -> Example | Described:
    from pipeline.camera.image_file import read_image
    from training.review.marked import read_marked
    from training.review.proposing import Described, Example

    if args.support is not None:
        picture = read_image(args.support, colour=True, error=DataError)
        marked = read_marked(args.points, args.support, (picture.shape[1], picture.shape[0]))
        return Example(args.support, picture, marked)
    pairs = [tuple(word.strip() for word in given.partition(":")[::2]) for given in args.describe]
    bad = [given for given, (name, words) in zip(args.describe, pairs, strict=True) if not name or not words]
    if bad or len({name for name, _ in pairs}) != len(pairs):
        what = f"is {bad[0]!r}" if bad else "gives a name twice"
        raise ConfigError(what, where="--describe", allowed='"hole: the centre of the large hole", each name once')
    return Described(tuple(name for name, _ in pairs), tuple(words for _, words in pairs))


def _teacher(args: argparse.Namespace) -> FindsKeypoints:
    from training.matching.teacher import MatchingTeacher, RefiningTeacher
    from training.review.loading import load_teacher

    if args.by == MATCH:
        return MatchingTeacher(rotation_deg=args.turned)
    teacher = load_teacher(args.model, args.threads)
    return RefiningTeacher(teacher) if args.match else teacher


def _write(args: argparse.Namespace, found: Sequence[Taught], part: str, names: Sequence[str]) -> None:
    from training.disk import writing
    from training.labels.sheet import Tile, write_sheet
    from training.review.page import review_page
    from training.review.taught import doubtful, proposals_bytes

    page = review_page(found, part, names, args.images, least=args.least, pictures=args.pictures)
    sure = [one for one in found if one.sure >= args.least]
    ranked = sorted(found, key=lambda one: one.sure)
    with writing(args.out):
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / PROPOSALS).write_bytes(proposals_bytes(found, part, names, args.images))
        if sure:
            (args.out / CONFIDENT).write_bytes(proposals_bytes(sure, part, names, args.images))
        (args.out / PAGE).write_text(page, encoding="utf-8")
    tiles = [Tile(one.part, f"{one.part.image.name}  sure {one.sure:.2f}", doubtful(one)) for one in ranked]
    write_sheet(args.out / SHEET, tiles, names)


def _tell(args: argparse.Namespace, found: Sequence[Taught], names: Sequence[str]) -> None:
    import numpy as np

    from training.data import VISIBLE

    sure = sum(one.sure >= args.least for one in found)
    states = np.array([one.part.state for one in found])
    confidence = np.array([one.confidence for one in found])
    wide = max(len("keypoint"), *(len(name) for name in names))
    _say(f"{'keypoint':{wide}}{'visible':>10}{'median confidence':>20}")
    for index, name in enumerate(names):
        seen = int((states[:, index] == VISIBLE).sum())
        _say(f"{name:{wide}}{f'{seen}/{len(found)}':>10}{float(np.median(confidence[:, index])):20.2f}")
    _say(
        f"\n{sure} of {len(found)} parts are {args.least:g} or surer, points: {args.out / CONFIDENT if sure else 'no file'}"
    )
    _say(f"look at them: open {args.out / PAGE} in a browser; the least certain at a glance: {args.out / SHEET}")
    source = args.out / CONFIDENT if sure else "accepted.json"
    _say(f"next: datumd train --method coarse_to_fine --coco {source} --images {args.images} --out recipes/NAME")


def _progress(done: int, count: int) -> None:
    sys.stderr.write(f"{done}/{count} photographs\n")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
