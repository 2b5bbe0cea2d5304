"""`datumd inspect`: images by a sealed recipe, without a station."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import CameraError, ConfigError

if TYPE_CHECKING:
    from pipeline.commands.drawn_pictures import DrawnPictures
    from pipeline.commands.export_csv import Columns, CsvWriter
    from pipeline.commands.picture_results import PictureResults
    from pipeline.recipe import Recipe
    from pipeline.result import Result

UNREADABLE, REJECTED = 1, 3
MOST_THREADS = 64
EXAMPLES = """\
Examples:
  datumd inspect shots/ --recipe recipes/bracket                       one line for each part
  datumd inspect a.png b.png --recipe recipes/bracket --out drawn      and pictures with what was found
  datumd inspect shots/ --recipe recipes/bracket --csv shots.csv       the columns of datumd export --format csv
  datumd inspect shots/ --recipe recipes/bracket --fail-on-not-ok && echo all passed

Exit code: 0 every image was inspected, whatever the verdicts: a verdict is a result, and a folder of bad parts that is
inspected as it should be is no failure. 1 an image could not be read; the others were inspected. 2 nothing was inspected, or
the run was cut short. With --fail-on-not-ok: 3 a part does not pass.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "inspect",
        help="inspect images by a sealed recipe, without a station",
        description="Inspect image files (png, jpg, bmp, tif; a folder's in the order of their names) as a station would that "
        "played them, and print what is found. The recipe must be sealed, and is qualified on this machine first.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE | FOLDER", help="what to inspect")
    parser.add_argument("--recipe", type=Path, required=True, metavar="RECIPE", help="the recipe's folder, sealed")
    parser.add_argument(
        "--view",
        default="",
        metavar="NAME",
        help="the view that the images show, where the recipe has several; what others show is not judged then",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write pictures with what was found drawn into them")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write results as CSV; part_id is the image")
    parser.add_argument("--json", action="store_true", help="print whole results, one JSON object a line")
    parser.add_argument("--force", action="store_true", help="replace FILE, and pictures in DIR")
    parser.add_argument("--fail-on-not-ok", action="store_true", help="exit code 3 where a part does not pass")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the networks (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Inspect all. Raises DatumdError where the recipe is refused, or what is asked for cannot be written."""
    import cv2

    from pipeline.commands.drawn_pictures import DrawnPictures
    from pipeline.commands.export_csv import CsvWriter
    from pipeline.commands.picture_results import PictureResults, of_view
    from pipeline.commands.whole_file import whole_file
    from pipeline.inspector import Inspector
    from pipeline.overlay import segments
    from pipeline.qualify import qualify
    from pipeline.recipe import load_recipe

    if not 1 <= args.threads <= MOST_THREADS:
        raise ConfigError(f"is {args.threads}", where="--threads", allowed=f"1 to {MOST_THREADS}")
    cv2.setNumThreads(args.threads)
    whole = load_recipe(args.recipe)
    recipe = of_view(whole, args.view)
    inspector = Inspector.load(recipe, threads=args.threads)
    qualify(recipe, inspector)
    images = _images(args.images)
    with ExitStack() as stack:
        lines = segments(recipe.file.measure)
        drawn = DrawnPictures(args.out, images, lines, force=args.force) if args.out else None
        table = None
        if args.csv:
            file = stack.enter_context(whole_file(args.csv, force=args.force))
            table = CsvWriter(file, _columns(recipe))
        inspection = _Inspection(PictureResults(inspector), drawn, table, is_json=args.json, count=len(images))
        for number, image in enumerate(images, start=1):
            inspection.inspect(image, number)
    inspection.sum_up(len(whole.views))
    if inspection.unreadable:
        return UNREADABLE
    return REJECTED if args.fail_on_not_ok and inspection.rejected else 0


def _images(given: list[Path]) -> list[Path]:
    """The images of folders in the order of their names, and everything else as given: reading it tells what is wrong."""
    from pipeline.camera.folder import SUFFIXES

    found: list[Path] = []
    for path in given:
        try:
            inside = (
                sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
            )
        except OSError as problem:
            raise ConfigError(f"cannot be read ({problem.strerror})", where=str(path)) from None
        if not inside:
            raise ConfigError("holds no images", where=str(path), allowed=" ".join(SUFFIXES))
        found += inside
    return found


def _columns(recipe: "Recipe") -> "Columns":
    """Those that results of this recipe can fill."""
    from pipeline.commands.export_csv import Columns

    file = recipe.file
    looks = any(view.segment is not None for view in file.view.values())
    return Columns([(name, file.view_of(wanted)) for name, wanted in file.measure.items()], looks)


class _Inspection:
    """Inspects one image after the other, and tells of each wherever it was asked for."""

    def __init__(
        self,
        pictures: "PictureResults",
        drawn: "DrawnPictures | None",
        table: "CsvWriter | None",
        *,
        is_json: bool,
        count: int,
    ) -> None:
        self.unreadable = 0
        self.rejected = 0
        self._pictures, self._drawn, self._table = pictures, drawn, table
        self._is_json, self._count = is_json, count
        self._parts: dict[str, int] = {}
        self._is_terminal = sys.stderr.isatty()

    def inspect(self, image: Path, number: int) -> None:
        from pipeline import result as result_schema
        from pipeline.clock import utc_ns
        from pipeline.ledger.journal_export import Exported
        from pipeline.result import Disposition

        try:
            results = self._pictures.results(image, number)
            if self._drawn is not None:
                self._drawn.write(image, self._pictures.view, results)
        except CameraError as problem:
            self.unreadable += 1
            self._clear()
            print(f"datumd: {problem}", file=sys.stderr, flush=True)
            return
        self._clear()
        for result in results:
            payload = result_schema.encode(result)
            print(payload.decode() if self._is_json else _row(result), flush=True)
            if self._table is not None:
                self._table.write(Exported(result.session, result.seq, utc_ns(), payload))
            evaluation = result.result_evaluation.value
            self._parts[evaluation] = self._parts.get(evaluation, 0) + 1
            self.rejected += result.disposition is not Disposition.PASS
        if self._is_terminal:
            print(f"{number}/{self._count} images", end="", file=sys.stderr, flush=True)

    def sum_up(self, views: int) -> None:
        """The counts; where other views were not looked at, that as well."""
        self._clear()
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self._parts.items())) or "none"
        told = f"{self._count - self.unreadable} of {self._count} image(s) inspected; parts: {counts}"
        told += f"; of view {self._pictures.view} alone, the recipe has {views}" if views > 1 else ""
        print(told, file=sys.stderr if self._is_json else sys.stdout)

    def _clear(self) -> None:
        """Take away how far we were, before anything else is said."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _row(result: "Result") -> str:
    from pipeline.result_text import measured, printable, reason_text

    part = f" part {result.part_index + 1} of {result.part_count}" if result.part_count > 1 else ""
    took_ms = result.times["received_to_answered_ns"] / 1e6
    words = ", ".join(reason_text(reason) for reason in result.reasons) or measured(result)
    verdict = f"{result.result_evaluation.value:13} {result.disposition.value:6} {took_ms:7.1f} ms"
    return printable(f"{verdict}  {result.part_id}{part}: {words}")
