"""``datumd mark``: the points of a first photograph, clicked in a browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError

_EPILOG = """\
example:
  datumd mark photos/0001.png --names hole,tip,corner --out mark.html
  # open mark.html in a browser: click each point, download points.json, then
  datumd teach photos --support photos/0001.png --points points.json --by match --out taught

The page holds the photograph, fetches nothing and sends nothing. Mark points that every part has and that are clear to see: they
are the keypoints of the recipe. A box around the whole part is worth drawing where points do not reach its edges.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "mark",
        help="write a page on which a photograph's points are marked",
        description="Write an HTML page on which the points of one photograph are clicked, named and saved as points.json.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the photograph")
    parser.add_argument("--names", default="", metavar="A,B,…", help="asked for one after the other")
    parser.add_argument("--points", metavar="FILE", type=Path, help="begin with these: points.json, or COCO")
    parser.add_argument("--part", default="part", metavar="NAME", help="what the part is called (default: %(default)s)")
    parser.add_argument("--out", required=True, metavar="FILE", type=Path, help="the page, such as mark.html")
    parser.add_argument("--force", action="store_true", help="replace FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        DatumdError: the image or the points cannot be read, or the page cannot be written.
    """
    from pipeline.camera.image_size import image_size
    from pipeline.commands.whole_file import whole_file
    from training.review.marked import read_marked
    from training.review.page import mark_page

    names = [name.strip() for name in args.names.split(",") if name.strip()]
    if len(set(names)) != len(names):
        raise ConfigError(f"is {args.names!r}", where="--names", allowed="each name once")
    marked = None if args.points is None else read_marked(args.points, args.image, image_size(args.image))
    page = mark_page(args.image, marked.part if marked and args.part == "part" else args.part, names, marked)
    with whole_file(args.out, force=args.force) as file:
        file.write(page.encode())
    sys.stdout.write(
        f"{args.out}: open it in a browser, click the points, download points.json\n"
        f"next: datumd teach {args.image.parent} --support {args.image} --points points.json --by match --out taught\n"
    )
    return 0
