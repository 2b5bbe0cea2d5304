"""`datumd why`: a verdict opened again."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.replay.explanation import Explanation, Place

REPRODUCED, OTHER, NOT_TRIED = 0, 1, 3
EXAMPLES = """\
Examples:
  datumd why 1769866000-42                                the station of station.toml; the id is that of the result
  datumd why 1769866000-42 L3.toml --html why.html        as one page with its pictures; --zip why.zip for everything
  datumd why 1769866000-42 /backup/L3-S20 --recipe recipes/bracket
  datumd why 1769866000-42 --backend openvino             on another backend: within the recipe's limit, or not

Exit code: 0 the verdict was reproduced (bit for bit; on another backend within the parity limit), or its part was never
inspected; 1 it was not reproduced; 2 there is no such result; 3 it could not be tried: no image, or no recipe of that day.
The station is not held up, and nothing of it is changed.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "why",
        help="open a verdict again: images, recipe and versions of that day, whether it comes out again, and what it would be now",
        description="Open a result again: what was decided and by what, whether the recipe of that day decides the same on the "
        "images that were kept, and what the recipe that is installed now would decide.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("result", metavar="RESULT_ID", help="the result's id, SESSION-SEQ")
    parser.add_argument(
        "station",
        nargs="?",
        type=Path,
        default=Path("station.toml"),
        metavar="STATION.toml | FOLDER",
        help="the station file, or the folder of its journal and images, or a copy (default: %(default)s)",
    )
    parser.add_argument("--recipe", type=Path, metavar="DIR", help="the recipe, or folder of recipes, of now")
    parser.add_argument(
        "--backend", default="", metavar="NAME", help="instead of the one of that day, as in station.toml"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as one page, with pictures")
    parser.add_argument(
        "--zip", type=Path, metavar="FILE", help="write all of it: page, result, images, recipe of that day"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE where there is one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain one result. Raises DatumdError where there is none, or a file cannot be written."""
    import cv2

    from engines.load import BACKENDS
    from pipeline.commands.whole_file import refuse_taken
    from pipeline.replay.explanation import explained
    from pipeline.replay.explanation_text import explanation_text

    for path in (args.html, args.zip):
        refuse_taken(path, force=args.force)
    if args.backend and args.backend not in ("auto", *BACKENDS):
        raise ConfigError(f"{args.backend!r} is no backend", where="--backend", allowed=f"auto, {', '.join(BACKENDS)}")
    cv2.setNumThreads(1)  # as an inference process
    with explained(_place(args), args.result) as told:
        print(explanation_text(told), flush=True)
        _write_files(args, told)
        if told.again is None:
            return NOT_TRIED
        return REPRODUCED if told.again.is_reproduced or not told.again.was_inspected else OTHER


def _place(args: argparse.Namespace) -> "Place":
    from pipeline.config import InferSettings, load_station
    from pipeline.inspectors import calibrated
    from pipeline.replay.explanation import Place
    from pipeline.runtime import state_place

    if args.station.is_dir():
        return Place(args.station, args.recipe, InferSettings(), backend=args.backend)
    station = load_station(args.station)
    recipes = args.recipe or Path(station.recipes)
    return Place(state_place(station), recipes, station.infer, calibrated(station), args.backend)


def _write_files(args: argparse.Namespace, told: "Explanation") -> None:
    from pipeline.commands.whole_file import whole_file
    from pipeline.replay.explanation_page import explanation_page
    from pipeline.replay.explanation_zip import write_zip

    if args.html:
        with whole_file(args.html, force=args.force) as file:
            file.write(explanation_page(told).encode())
        print(f"written: {args.html}", file=sys.stderr)
    if args.zip:
        with whole_file(args.zip, force=args.force) as file:
            write_zip(told, file)
        print(f"written: {args.zip}", file=sys.stderr)
