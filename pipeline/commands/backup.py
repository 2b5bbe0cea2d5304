"""`datumd backup` and `datumd restore`: a station in one file, and back onto another machine."""

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError

BACKUP_EXAMPLES = """\
Examples:
  datumd backup station.toml -o L3-S20.zip              while the station runs
  datumd backup station.toml -o L3-S20.zip --images     the kept images as well: as large as they are

In it: the station file, recipes, calibrations, the journal as it is at this moment, and the recipes kept beside it. Keys,
tokens, passwords and camera producers are not; their names are told.
"""
RESTORE_EXAMPLES = """\
Example:
  datumd restore L3-S20.zip /etc/datumd/L3-S20.toml     then put keys where it says, and: datumd check /etc/datumd/L3-S20.toml

Everything goes to where the station file says: with relative paths beside it. Nothing that is there is replaced, and nothing
is written unless the whole file is undamaged. The journal goes on in a new session; the line's counters are doubted until
they have been seen.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands."""
    backup = subparsers.add_parser(
        "backup",
        help="write a station into one file: configuration, recipes, journal",
        description="Write all that makes a station into one file, while it runs or not.",
        epilog=BACKUP_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    backup.add_argument(
        "station", nargs="?", type=Path, default=Path("station.toml"), help="the station file (default: %(default)s)"
    )
    backup.add_argument("--output", "-o", type=Path, required=True, metavar="FILE.zip", help="write to FILE.zip")
    backup.add_argument("--images", action="store_true", help="with the kept images")
    backup.add_argument("--force", action="store_true", help="replace FILE.zip where there is one")
    backup.set_defaults(run=run_backup)
    restore = subparsers.add_parser(
        "restore",
        help="write a station back from its backup, onto a machine without it",
        description="Write a station back from a file of `datumd backup`.",
        epilog=RESTORE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    restore.add_argument("file", type=Path, metavar="FILE.zip", help="the backup")
    restore.add_argument("station", type=Path, metavar="STATION.toml", help="where the station file is to lie")
    restore.set_defaults(run=run_restore)


def run_backup(args: argparse.Namespace) -> int:
    """Back up. Raises DatumdError where that cannot be done."""
    from pipeline.commands.backup_file import left_out, write_backup
    from pipeline.commands.whole_file import whole_file

    try:
        with whole_file(args.output, force=args.force) as file:
            manifest = write_backup(args.station, file, args.output.parent, images=args.images)
    except OSError as problem:
        raise ConfigError(f"cannot be read ({problem.strerror})", where=str(problem.filename)) from None
    print(f"written: {args.output}: {len(manifest.files)} file(s) of station {manifest.station}")
    for one in left_out(args.station):
        print(f"left out: {one}", file=sys.stderr)
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Restore. Raises DatumdError where that cannot be done."""
    from pipeline.commands.backup_file import restore_backup

    try:
        manifest = restore_backup(args.file, args.station)
    except OSError as problem:
        raise ConfigError(
            f"cannot be read or written ({problem.strerror})", where=str(problem.filename or args.file)
        ) from None
    print(f"restored: {len(manifest.files)} file(s) of station {manifest.station}, of {manifest.made}")
    print(f"next: datumd check {args.station}")
    return 0
