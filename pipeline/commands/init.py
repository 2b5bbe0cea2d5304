"""`datumd init`: a first station file and a first recipe, from the cameras or pictures that are there."""

import argparse
import os
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.commands.found_camera import FoundCamera

STATION = "station.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "init",
        help="write a first station and recipe from what is there",
        description="Write DIR/station.toml and DIR/recipes/PART, with comments that say what to write next: for the GenICam "
        "cameras of the vendors' producers (in the folders that GENICAM_GENTL64_PATH names, or --producer), for a folder of "
        "pictures, or for a simulated camera. The station runs as it is: nothing is taught yet, so that every part is "
        "NOT_DECIDABLE and rejected, and its picture kept. Nothing that is there is written over.",
        epilog="Example: datumd init first --images shots/ && datumd check first/station.toml && datumd run first/station.toml",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="where (default: here)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--images", type=Path, metavar="FOLDER", help="look through the pictures of a folder")
    source.add_argument("--simulated", action="store_true", help="look through a simulated camera")
    source.add_argument("--producer", type=Path, metavar="FILE.cti", help="look through the cameras of this producer")
    parser.add_argument("--part", default="part", metavar="NAME", help="what the part is called (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look, write, and say what comes next. Raises DatumdError where nothing is found or something is there already."""
    if not _NAME.fullmatch(args.part):
        raise ConfigError(f"is {args.part!r}", where="--part", allowed="letters, digits, - and _, 32 at most")
    station, recipe = args.folder / STATION, args.folder / "recipes" / args.part
    for path in (station, recipe):
        if os.path.lexists(path):
            raise ConfigError("is there already", where=str(path), next_command="datumd init ANOTHER-FOLDER")
    camera, *others = _found(args)
    width, height = camera.size_wh
    print(f"camera    {width} x {height} px" + (f", and {len(others)} more in comments" if others else ""))
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        _write(args.folder, args.part, camera, others)
    except OSError as problem:
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(args.folder)) from None
    print(f"written   {station}\nwritten   {recipe}: nothing is taught yet, so that every part is rejected")
    _say_next(station, recipe, args.images)
    return 0


def _found(args: argparse.Namespace) -> "list[FoundCamera]":
    """At least one."""
    from pipeline.commands.found_camera import PRODUCERS, of_folder, of_producers, producers, simulated

    if args.images is not None:
        images, folder = args.images.absolute(), args.folder.absolute()
        written = images.relative_to(folder) if images.is_relative_to(folder) else images
        return [of_folder(args.images, str(written))]
    if args.simulated:
        return [simulated()]
    files = [args.producer.absolute()] if args.producer else producers(os.environ)
    if not files:
        named = os.environ.get(PRODUCERS)
        print(f"no GenTL producer: {PRODUCERS} {f'names {named}, which holds no .cti file' if named else 'is not set'}")
    found = list(of_producers(files, print))
    if not found:
        raise ConfigError(
            "no camera was found",
            where="datumd init",
            allowed="--producer FILE.cti (a vendor's), --images FOLDER, --simulated",
            next_command="datumd init DIR --simulated",
        )
    return found


def _write(folder: Path, part: str, camera: "FoundCamera", others: "list[FoundCamera]") -> None:
    """The recipe first, sealed before it is in its place: a station that is there has one."""
    from pipeline.commands.first_files import station_text
    from pipeline.commands.untaught_recipe import make_recipe

    name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.absolute().name).strip("-_")[:32]
    has_page = all(find_spec(module) is not None for module in ("starlette", "uvicorn"))
    text = station_text(name or "station", camera, others, has_page=has_page)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=folder) as draft:
        made = make_recipe(Path(draft) / part, camera)
        recipes = folder / "recipes"
        recipes.mkdir(exist_ok=True)
        with (folder / STATION).open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
                made.rename(recipes / part)
            except OSError:
                (folder / STATION).unlink()
                raise


def _say_next(station: Path, recipe: Path, images: Path | None) -> None:
    from pipeline.sealing import image_files

    file, made = quote(str(station)), quote(str(recipe))
    print(f"next      datumd check {file}")
    print(f"          datumd run {file}")
    print("teach it  as docs/teach.md says; with labels of your own: datumd labels --help")
    shots, first = "PHOTOS", "PHOTOS/0001.png"
    if images is None:
        print(f"          datumd snapshot {file} -o {first}     one part on each; 10 to try, 60 to train")
    else:
        shots, first = quote(str(images)), quote(str(image_files(images)[0]))
    print(f"          datumd mark {first} --out mark.html     then, with the points.json that the page gives:")
    print(f"          datumd teach {shots} --support {first} --points points.json --by match --out taught")
    print(f"          datumd train --method coarse_to_fine --coco taught/confident.json --images {shots} --out {made}")
    print(f"          datumd seal {made} --frames {shots}")
