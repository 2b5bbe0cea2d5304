"""``datumd calibrate plane``: the plane that a camera measures in, from one picture of a board in it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from calibration.board import Board
    from calibration.board_view import BoardView
    from calibration.plane import PlaneFit
    from pipeline.calibration_file import Calibration, PlanePart

_EPILOG = """\
examples:
  datumd calibrate plane --calibration calibration.toml --camera station.toml --board charuco:12x8:20.01mm --length-sigma 0.0002
  datumd calibrate plane --calibration calibration.toml --image plane.png --board charuco:12x8:20.01mm --length-sigma 0.0002

The printed side of the board is the plane that is measured in. Where what is measured lies higher or lower, say so in the
recipe: height_mm of its view. Then name the file in the station: [camera.NAME] calibration = "calibration.toml".
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "plane",
        help="calibrate the plane that a camera measures in",
        description="Find where a board lies before a camera whose lens is calibrated, from one picture. Its plane is then "
        "where pixels become millimetres.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        required=True,
        metavar="FILE",
        help="of datumd calibrate lens; the plane goes into it",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--camera", type=Path, metavar="STATION.toml", help="look through a camera of this station")
    source.add_argument("--image", type=Path, metavar="FILE", help="use this image of the camera")
    parser.add_argument(
        "--view", metavar="NAME", help="with --camera: which view, needed where the station has several"
    )
    parser.add_argument("--board", required=True, metavar="BOARD", help="as measured, for example charuco:12x8:20.01mm")
    parser.add_argument(
        "--length-sigma",
        type=float,
        required=True,
        metavar="SHARE",
        help="standard uncertainty of the board's lengths as a share of them: 0.0002 is 0.04 mm in 200 mm",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="page to write (default: beside --calibration, .plane.html)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="with --camera: wait so long for the board"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate and write. Raises DatumdError where that is not possible."""
    import cv2
    import msgspec
    import numpy as np

    from calibration.board import Board
    from calibration.lens_command import write_page
    from calibration.lens_report import plane_page
    from calibration.plane import calibrate_plane
    from pipeline.calibration_file import read_calibration, write_calibration

    cv2.setNumThreads(1)
    board = Board.parse(args.board)
    if not 0.0 <= args.length_sigma <= 0.1:  # refuses what is no number, too
        raise ConfigError(f"is {args.length_sigma:g}", where="--length-sigma", allowed="0 to 0.1, a share")
    told = read_calibration(args.calibration)
    view = _from_camera(args, board, told) if args.camera else _from_file(args, board, told)
    fit = calibrate_plane(view, board, told.lens_model(), np.array(told.lens.covariance))
    told = msgspec.structs.replace(told, plane=_part(fit, board, args.length_sigma))
    plane = told.plane_map()
    write_calibration(args.calibration, told)
    report = args.report or args.calibration.with_suffix(".plane.html")
    write_page(report, plane_page(fit, told, plane))
    middle = np.array([told.image_wh], np.float64) / 2
    scale = float(np.sqrt(abs(np.linalg.det(plane.jacobian(middle)[0]))))
    print(
        f"{len(fit.view.points_mm)} points, {fit.residual_px:.3f} px off root mean square; a pixel in the middle is {scale:.5g} mm"
    )
    if not fit.is_same_lens:
        print("warning: the lens does not seem to be as it was calibrated; calibrate it anew if it was touched")
    print(f"wrote {args.calibration} and {report}")
    print(f'next: in the station file, [camera.NAME] calibration = "{args.calibration.name}"')
    return 0


def _from_file(args: argparse.Namespace, board: Board, told: Calibration) -> BoardView:
    from calibration.board_view import find_board
    from calibration.captures import read_grey

    grey = read_grey(args.image)
    size = (grey.shape[1], grey.shape[0])
    if size != told.image_wh:
        what = f"is {size[0]} x {size[1]} px"
        raise DataError(what, where=str(args.image), allowed="{} x {} as the lens's".format(*told.image_wh))
    view = find_board(board, args.image.name, grey)
    if view is None:
        raise DataError(f"shows no board {board}", where=str(args.image))
    return view


def _from_camera(args: argparse.Namespace, board: Board, told: Calibration) -> BoardView:
    """The first view in which the board is whole enough and lies still."""
    from calibration.assistant import Assistant
    from calibration.captures import LiveCamera, camera_of

    name, settings = camera_of(args.camera, args.view)
    with LiveCamera(name, settings) as camera:
        mismatch = told.mismatch(camera.identity.serial, told.image_wh, camera.identity.readout)
        if mismatch:
            raise ConfigError(f"the calibration {mismatch}", where=str(args.calibration))
        assistant = Assistant(board, told.lens.model, None, lambda text: print(text, flush=True))
        for picture in camera.pictures(args.timeout):
            view = assistant.still(picture, "plane")
            if view is not None:
                if view.image_wh != told.image_wh:
                    raise ConfigError(
                        f"the calibration {told.mismatch(camera.identity.serial, view.image_wh, camera.identity.readout)}",
                        where=str(args.calibration),
                    )
                return view
    raise DataError("gave no still view of the board", where=f"camera {name}")


def _part(fit: PlaneFit, board: Board, length_sigma: float) -> PlanePart:
    from calibration.lens_command import now
    from pipeline.calibration_file import PlanePart

    return PlanePart(
        values=dict(zip(fit.lens.names, fit.lens.values.tolist(), strict=True)),
        pose=fit.pose.tolist(),
        covariance=fit.covariance.tolist(),
        board_length_sigma=length_sigma,
        residual_px=fit.residual_px,
        points=len(fit.view.points_mm),
        board=str(board),
        made=now(),
    )
