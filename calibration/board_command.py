"""``datumd calibrate board``: prints a board to calibrate by."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands.whole_file import whole_file
from pipeline.errors import ConfigError

DEFAULT = "charuco:12x8:20mm"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "board",
        help="draw a board, to be printed at its true size",
        description="Draw a board as PDF or PNG. Print it at 100 %, on what stays flat (glue paper to glass or aluminium), and "
        "measure it over its whole length: state what you measured in --board, and how sure it is with calibrate plane.",
        epilog="example: datumd calibrate board charuco:12x8:20mm -o board.pdf",
    )
    parser.add_argument(
        "board",
        nargs="?",
        default=DEFAULT,
        metavar="BOARD",
        help="KIND:COLUMNSxROWS:PITCHmm with KIND one of charuco, checker, dots (default: %(default)s)",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="board.pdf or board.png")
    parser.add_argument("--paper", default="a4", metavar="SIZE", help="of a PDF: a5 to a0 (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="write over an earlier file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file. Raises ConfigError for no board, one that does not fit, or a file that cannot be written."""
    from calibration.board import Board
    from calibration.board_print import board_pdf, board_png

    board = Board.parse(args.board)
    suffix = args.output.suffix.lower()
    if suffix not in (".pdf", ".png"):
        raise ConfigError(f"is {args.output}", where="--output", allowed="a name that ends in .pdf or .png")
    content = board_pdf(board, args.paper.lower()) if suffix == ".pdf" else board_png(board)
    with whole_file(args.output, force=args.force) as file:
        file.write(content)
    width, height = board.size_mm
    print(f"{args.output}: {board}, {width:g} x {height:g} mm. Print at 100 %, then measure it")
    return 0
