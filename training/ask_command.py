"""``datumd ask``: what a keypoint is, or where one is, by a trained teacher."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from training.teach.proposal import FindsKeypoints, Image

_EPILOG = """\
examples:
  datumd ask photo.png --model models/teach --at 412,230                 # what is there?
  datumd ask photo.png --model models/teach --where "the centre of the large hole" --out answer.png

Positions are px of the photograph, pixel centres at integers. --where may be given again.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "ask",
        help="ask a trained teacher what a keypoint is, or where it is",
        description="Ask a trained teacher about a photograph.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the photograph")
    parser.add_argument("--model", metavar="DIR", type=Path, help="a trained teacher")
    parser.add_argument("--at", action="append", default=[], metavar="X,Y", help="a position: what is there?")
    parser.add_argument("--where", action="append", default=[], metavar="WORDS", help="a description: where is it?")
    parser.add_argument("--out", metavar="PNG", type=Path, help="write the photograph with the answers")
    parser.add_argument("--force", action="store_true", help="replace PNG")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer.

    Raises:
        DatumdError: an argument, the image or the model cannot be used.
    """
    import msgspec

    from pipeline.camera.image_file import read_image
    from training.review.asking import asked_at, asked_where, drawn_answers
    from training.review.loading import TRAIN, load_teacher

    if not args.at and not args.where:
        raise ConfigError("nothing is asked", allowed="--at X,Y or --where WORDS")
    if args.model is None:
        raise ConfigError("no teacher: --model is not given", allowed="--model DIR", next_command=TRAIN)
    if not 1 <= args.threads <= 64:
        raise ConfigError(f"is {args.threads}", where="--threads", allowed="1 to 64")
    picture = read_image(args.image, colour=True, error=DataError)
    places = [_place(text, picture) for text in args.at]
    teacher: FindsKeypoints = load_teacher(args.model, args.threads)
    answers = [asked_at(teacher, picture, place) for place in places] + asked_where(teacher, picture, args.where)
    for answer in answers:
        sys.stdout.write((msgspec.json.encode(answer).decode() if args.json else answer.line()) + "\n")
    if args.out is not None:
        _draw(args, drawn_answers(picture, answers))
    return 0


def _place(text: str, picture: Image) -> tuple[float, float]:
    height, width = picture.shape[:2]
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError:
        raise ConfigError(f"is {text!r}", where="--at", allowed="X,Y in px, such as 412,230") from None
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise ConfigError(f"is {text}", where="--at", allowed=f"within the image of {width} x {height} px")
    return x, y


def _draw(args: argparse.Namespace, picture: Image) -> None:
    import cv2

    from pipeline.commands.whole_file import whole_file

    with whole_file(args.out, force=args.force) as file:
        file.write(cv2.imencode(".png", picture)[1].tobytes())
    sys.stderr.write(f"{args.out}\n")
