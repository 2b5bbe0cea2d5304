"""``datumd calibrate lens``: a camera's lens from views of a board, with an assistant that says which view is missing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from calibration.board import Board
    from calibration.board_view import BoardView
    from calibration.captures import Identity
    from calibration.lens import LensFit
    from pipeline.calibration_file import Calibration

_EPILOG = """\
examples:
  datumd calibrate lens --camera station.toml --board charuco:12x8:20mm -o calibration.toml
  datumd calibrate lens --images views/ --serial 40123456 --board dots:17x13:5mm --model fisheye -o calibration.toml

With --camera the daemon must not run: it has the camera. Views are kept as PNG, so that --images can be used on them again.
"""

_POOR = 0.005  # of the focal length: a standard deviation that ordinary views stay ten times below


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "lens",
        help="calibrate a camera's lens by views of a board",
        description="Find the parameters of a camera's lens and how sure they are, from views of a board: held still in every "
        "part of the picture, near its corners, too, and tilted to every side. The assistant says which view is missing.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--camera", type=Path, metavar="STATION.toml", help="look through a camera of this station")
    source.add_argument("--images", type=Path, metavar="DIR", help="use the images of this folder")
    parser.add_argument(
        "--view", metavar="NAME", help="with --camera: which view, needed where the station has several"
    )
    parser.add_argument("--serial", metavar="SERIAL", help="with --images: serial number of the camera that took them")
    parser.add_argument(
        "--readout", default="", metavar="TEXT", help='with --images: as "OffsetX=64", where not the whole sensor'
    )
    parser.add_argument("--board", required=True, metavar="BOARD", help="as measured, for example charuco:12x8:20.01mm")
    parser.add_argument(
        "--model",
        default="brown",
        choices=["brown", "fisheye", "affine"],
        help="brown for most lenses, fisheye beyond 120 degrees, affine for telecentric ones (default: %(default)s)",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="calibration.toml to write")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="page to write (default: beside --output, .lens.html)"
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="with --camera: folder for the views (default: beside --output)"
    )
    parser.add_argument(
        "--views", type=int, default=40, metavar="N", help="with --camera: take so many at most (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="with --camera: wait so long for a picture"
    )
    parser.add_argument("--force", action="store_true", help="write over an earlier calibration")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate and write. Raises DatumdError where that is not possible."""
    import cv2

    from calibration.board import Board
    from calibration.coverage import coverage
    from calibration.lens import LEAST_VIEWS, calibrate_lens
    from calibration.lens_report import lens_page
    from pipeline.calibration_file import write_calibration

    cv2.setNumThreads(1)
    board = Board.parse(args.board)
    if args.views < LEAST_VIEWS:
        raise ConfigError(f"is {args.views}", where="--views", allowed=f"{LEAST_VIEWS} or more")
    if not 0.0 < args.timeout < 86_400.0:  # refuses what is no number, too
        raise ConfigError(f"is {args.timeout:g}", where="--timeout", allowed="above 0, below 86400 seconds")
    if args.output.exists() and not args.force:
        raise ConfigError(
            "is there already", where=str(args.output), next_command="add --force, or choose another name"
        )
    identity, views = _from_camera(args, board) if args.camera else _from_folder(args, board)
    fit = calibrate_lens(views, board, args.model)
    told = _calibration(fit, identity, board)
    write_calibration(args.output, told)
    report = args.report or args.output.with_suffix(".lens.html")
    write_page(report, lens_page(fit, told))
    for line in _lines(fit):
        print(line)
    if args.model != "affine" and fit.sigmas[0] > _POOR * fit.lens.values[0]:
        share = fit.sigmas[0] / fit.lens.values[0]
        print(f"warning: the focal length is known to {share:.1%} only; what is missing most are tilted views")
    for wanted in coverage(fit.bundle.views, args.model).missing()[:3]:
        print(f"missing: {wanted}")
    print(f"wrote {args.output} and {report}")
    print(f"next: lay the board where parts are measured, and datumd calibrate plane --calibration {args.output} …")
    return 0


def write_page(path: Path, page: str) -> None:
    """Write a report. Raises DataError where it cannot be written."""
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as problem:
        raise DataError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def now() -> str:
    """The time as calibration.toml has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _from_folder(args: argparse.Namespace, board: Board) -> tuple[Identity, Sequence[BoardView]]:
    from calibration.board_view import find_board
    from calibration.captures import Identity, folder_pictures

    if not args.serial:
        raise ConfigError(
            "whose pictures are these?", where="--serial", allowed="the camera's serial number (datumd cameras)"
        )
    views = []
    for name, grey in folder_pictures(args.images):
        view = find_board(board, name, grey)
        said = "no board found" if view is None else f"{len(view.points_mm)} points"
        print(f"{name}: {said}", flush=True)
        if view is not None:
            views.append(view)
    return Identity(args.serial, args.readout), views


def _from_camera(args: argparse.Namespace, board: Board) -> tuple[Identity, Sequence[BoardView]]:
    from calibration.assistant import Assistant
    from calibration.captures import LiveCamera, camera_of

    if args.serial or args.readout:
        raise ConfigError("the camera tells it itself", where="--serial, --readout", allowed="only with --images")
    folder = args.pictures or args.output.with_name(f"{args.output.stem}-views")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"cannot be made ({problem.strerror})", where=str(folder)) from None
    if any(folder.iterdir()):
        raise DataError("holds something already", where=str(folder), allowed="a new or empty folder, --pictures DIR")
    assistant = Assistant(board, args.model, folder, lambda text: print(text, flush=True))
    with LiveCamera(*camera_of(args.camera, args.view)) as camera:
        print(f"camera {camera.identity.serial}. Show the board; Ctrl-C calibrates with what there is", flush=True)
        try:
            assistant.watch(camera.pictures(args.timeout), args.views)
        except KeyboardInterrupt:
            print()
        identity = camera.identity
    return identity, assistant.kept


def _calibration(fit: LensFit, identity: Identity, board: Board) -> Calibration:
    from pipeline.calibration_file import Calibration, LensPart

    lens = LensPart(
        model=fit.model,  # type: ignore[arg-type]
        values=dict(zip(fit.lens.names, fit.lens.values.tolist(), strict=True)),
        covariance=fit.covariance.tolist(),
        residual_px=fit.residual_px,
        views=len(fit.bundle.views),
        points=sum(len(view.points_mm) for view in fit.bundle.views),
        board=str(board),
    )
    return Calibration(
        camera=identity.serial, image_wh=fit.image_wh, readout=identity.readout, made=now(), lens=lens, plane=None
    )


def _lines(fit: LensFit) -> list[str]:
    lines = [
        f"  {name:3} {value:12.6g} ± {sigma:.2g}"
        for name, value, sigma in zip(fit.lens.names, fit.lens.values, fit.sigmas, strict=True)
    ]
    lines.append(f"{len(fit.bundle.views)} views, {fit.residual_px:.3f} px off root mean square")
    lines += [f"left out {one.name}: {one.why}" for one in fit.left_out]
    return lines
