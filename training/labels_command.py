"""``datumd labels``: labels from other tools and to them, and a look at how good they are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DataError, DatumdError

if TYPE_CHECKING:
    from training.data import Dataset
    from training.labels.check import Check
    from training.labels.imported import Imported

_EPILOG = """\
examples:
  datumd labels import --from cvat annotations.xml --images photos --out annotations.json
  datumd labels import --from ultralytics set/data.yaml --images set/images --out annotations.json
  datumd labels check --coco annotations.json --images photos --out checked
  datumd labels export --to cvat --coco annotations.json --images photos --out corrected

Training reads COCO keypoints: x, y from the corner of the image and v, 2 visible, 1 hidden, 0 missing. So:
  CVAT (for images 1.1, skeletons)   outside is missing, occluded is hidden
  Ultralytics pose                   v is the same; without v all are visible but those at 0 0
The order of the keypoints is kept. Nothing is written where something is already, and nothing if the labels are bad.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "labels",
        help="bring labels from CVAT or Ultralytics, check them, take them back",
        description="Labels of keypoints: import, export, check.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    bring = actions.add_parser("import", help="write COCO keypoints from another tool's labels")
    bring.add_argument("source", metavar="SRC", type=Path, help="annotations.xml of CVAT, data.yaml of Ultralytics")
    bring.add_argument("--from", dest="tool", required=True, choices=("cvat", "ultralytics"), help="whose labels")
    bring.add_argument("--out", required=True, metavar="FILE", type=Path, help="COCO file to write; must be new")
    bring.set_defaults(run=run_import)
    take = actions.add_parser("export", help="write another tool's labels from COCO keypoints")
    take.add_argument("--to", dest="tool", required=True, choices=("cvat", "ultralytics"), help="for which tool")
    take.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder to write; must be new or empty")
    take.add_argument(
        "--symmetric",
        nargs=2,
        action="append",
        default=[],
        metavar=("LEFT", "RIGHT"),
        help="two keypoints that change over in a mirror (for flip_idx of Ultralytics); may be given again",
    )
    take.set_defaults(run=run_export)
    check = actions.add_parser("check", help="count, find near-duplicates and suspicious labels, estimate their noise")
    check.add_argument(
        "--out", metavar="DIR", type=Path, help="folder for pictures of the labels; must be new or empty"
    )
    check.set_defaults(run=run_check)
    for action in (take, check):
        action.add_argument("--coco", required=True, metavar="FILE", type=Path, help="COCO keypoint annotations")
    for action in (bring, take, check):
        action.add_argument("--images", required=True, metavar="DIR", type=Path, help="folder of the images")


def run_import(args: argparse.Namespace) -> int:
    """Read another tool's labels, write COCO.

    Raises:
        DatumdError: the labels cannot be used, or the file is there already.
    """
    from training.labels.coco_writer import coco_bytes
    from training.labels.cvat import read_cvat

    if args.out.exists():
        raise DataError("is there already", where=f"--out: {args.out}", allowed="a new file")
    source = args.source / "annotations.xml" if args.tool == "cvat" and args.source.is_dir() else args.source
    found = read_cvat(source, args.images) if args.tool == "cvat" else _read_ultralytics(source, args.images)
    _write(args.out, coco_bytes(found.dataset, args.images))
    data = found.dataset
    _say(f"{args.out}: {len(data.parts)} parts in {len(data.images)} images, {', '.join(data.keypoints)}")
    for note in found.notes:
        _say(f"note: {note}")
    _say(f"next: datumd labels check --coco {args.out} --images {args.images}")
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Read COCO, write another tool's labels.

    Raises:
        DatumdError: the labels cannot be used, or the folder is not empty.
    """
    from training.labels.coco import read_coco
    from training.labels.cvat_writer import cvat_bytes

    _check_new(args.out)
    dataset = read_coco(args.coco, args.images)
    notes: tuple[str, ...] = ()
    if args.tool == "cvat":
        files = {Path("annotations.xml"): cvat_bytes(dataset, args.images)}
        hint = "import it into the task with the same images as CVAT for images 1.1; the task needs the labels in its <meta>"
    else:
        files, notes = _ultralytics_files(dataset, args)
        hint = f"put the images of {args.images} into {args.out / 'images'}"
    for name, content in files.items():
        _write(args.out / name, content)
    _say(f"{args.out}: {len(dataset.parts)} parts in {len(dataset.images)} images")
    for note in notes:
        _say(f"note: {note}")
    _say(f"next: {hint}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Print what the labels are like; draw them.

    Raises:
        DatumdError: the labels cannot be used, or the folder is not empty.
    """
    import cv2

    from training.labels.check import check
    from training.labels.coco import read_coco

    cv2.setNumThreads(1)
    if args.out is not None:
        _check_new(args.out)
    found = check(read_coco(args.coco, args.images), _progress)
    _say("\n".join(found.lines()))
    if args.out is None:
        _say("\npictures of the labels: add --out DIR")
        return 0
    _draw(found, args.out)
    return 0


def _draw(found: Check, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in found.draw(folder).items():
        _say(f"{folder / name}: {text}")


def _read_ultralytics(source: Path, images: Path) -> Imported:
    try:
        from training.labels.ultralytics import read_ultralytics
    except ModuleNotFoundError as problem:
        raise _needs(problem) from None
    return read_ultralytics(source, images)


def _ultralytics_files(dataset: Dataset, args: argparse.Namespace) -> tuple[dict[Path, bytes], tuple[str, ...]]:
    try:
        from training.labels.ultralytics_writer import ultralytics_files
    except ModuleNotFoundError as problem:
        raise _needs(problem) from None
    written = ultralytics_files(dataset, args.images, [(left, right) for left, right in args.symmetric])
    return {Path(name): text.encode() for name, text in written.files.items()}, written.notes


def _needs(problem: ModuleNotFoundError) -> DatumdError:
    return DatumdError(
        f"labels of Ultralytics need {problem.name}, which is not installed",
        next_command="pip install 'datumd[train]'",
    )


def _check_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("is there already", where=f"--out: {folder}", allowed="a new or an empty folder")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as problem:
        raise DataError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def _progress(done: int, count: int) -> None:
    if done % 100 == 0 or done == count:
        sys.stderr.write(f"{done}/{count} images\n")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
