"""`datumd report`: what a shift was like, out of the journal."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import utc_ns
from pipeline.commands.whole_file import refuse_taken, whole_file
from pipeline.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from pipeline.config import Station
    from pipeline.ledger.journal_export import Span
    from pipeline.report.production import Production

DAYS = 32  # back to which shifts can be counted
MOST_AUDITS = 1_000_000  # more than are kept
EXAMPLES = """\
Examples:
  datumd report station.toml                                  the shift that is on, as text
  datumd report station.toml --shift 1 --html early.html      the one before it, as a page; --csv FILE for a spreadsheet
  datumd report station.toml --since 2026-03-01 --until 2026-04-01
  datumd report /backup/L3-S20 --since 7d                     a folder with a journal

Shifts begin as `shifts` in the station file says, in the machine's time zone. Only parts of production are counted; those of
masters, gauge studies and set-up stand apart. Cpk is from the standard deviation of all values. The journal is only read.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="what a shift was like: counts, reasons, Cpk, pauses, changes",
        description="Sum up a shift, or any span of time, from a station's journal.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "station",
        nargs="?",
        type=Path,
        default=Path("station.toml"),
        metavar="STATION.toml | FOLDER",
        help="the station file, or the folder of its journal (default: %(default)s)",
    )
    parser.add_argument("--shift", type=int, metavar="N", help="0 the shift that is on (default), 1 the one before, …")
    parser.add_argument("--since", metavar="TIME", help="instead: from when, as datumd export has it")
    parser.add_argument("--until", metavar="TIME", help="until when, that moment excluded (default: now)")
    parser.add_argument(
        "--pause", type=float, default=60.0, metavar="SECONDS", help="shortest pause told (%(default)g)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every line of it")
    parser.add_argument("--force", action="store_true", help="overwrite them")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sum up. Raises ConfigError for what cannot be understood, JournalError where the journal cannot be read."""
    from pipeline.commands.export_csv import Rows
    from pipeline.report import page

    if args.shift is not None and (args.since or args.until or args.shift < 0):
        raise ConfigError("--shift takes no --since or --until, and is 0 or more", allowed="one or the other")
    if not args.pause > 0.0:  # nor a NaN
        raise ConfigError(f"is {args.pause:g}", where="--pause", allowed="more than 0 s")
    for path in (args.html, args.csv):
        refuse_taken(path, force=args.force)
    folder, station = _of(args.station)
    span, what = _span(args, station)
    name = station.station if station else folder.name
    title = f"{name}: {what}"
    found = _summed_up(folder, span, args.pause)
    if args.html is not None:
        with whole_file(args.html, force=args.force) as file:
            file.write(page.page(found, title).encode())
    if args.csv is not None:
        with whole_file(args.csv, force=args.force) as file:
            rows = Rows(file)
            for block in page.cells(found, title):
                for row in block:
                    rows.write(list(row))
    for line in page.lines(found, title):
        print(line)
    return 0


def _of(path: Path) -> "tuple[Path, Station | None]":
    """The journal's folder, and the station where its file is named."""
    from pipeline.config import load_station
    from pipeline.runtime import state_place

    station = None if path.is_dir() else load_station(path)
    folder = path if station is None else state_place(station)
    if not (folder / "journal.db").exists():
        raise JournalError(
            "there is no journal here", where=str(folder), next_command="datumd report STATION.toml, or another folder"
        )
    return folder, station


def _span(args: argparse.Namespace, station: "Station | None") -> "tuple[Span, str]":
    from pipeline.commands.export_time import utc_ns_of
    from pipeline.ledger.journal_export import Span
    from pipeline.report.tables import local
    from pipeline.shift import shift_starts

    now = utc_ns()
    since, until = 0, now
    if args.since:
        since = utc_ns_of(args.since, "--since", now)
        until = utc_ns_of(args.until, "--until", now) if args.until else now
        if not args.until and since >= now:
            raise ConfigError(f"{args.since} is yet to come", where="--since", allowed="an earlier time")
    elif station is None:
        raise ConfigError(
            "when shifts begin stands in the station file", allowed="--since TIME", where=str(args.station)
        )
    else:
        starts = shift_starts(station.shifts, datetime.fromtimestamp(now / 1e9).astimezone(), DAYS)
        back = args.shift or 0
        if back >= len(starts):
            raise ConfigError(f"--shift {back}", allowed=f"0 to {len(starts) - 1}, or --since TIME")
        since = int(starts[-1 - back].timestamp() * 1e9)
        until = int(starts[-back].timestamp() * 1e9) if back else now
    if until <= since:
        raise ConfigError(f"{args.until} is not after --since {args.since}", where="--until", allowed="a later time")
    return Span(since, until), f"{local(since)} to {local(until)}"


def _summed_up(folder: Path, span: "Span", pause_s: float) -> "Production":
    from pipeline import result as result_schema
    from pipeline.ledger.journal_export import Exported
    from pipeline.ledger.journal_reader import JournalReader
    from pipeline.report.production import Production

    found = Production(pause_s)
    reader = JournalReader.open(folder)
    try:
        for entry in reader.export(span):
            if isinstance(entry, Exported):
                found.add(result_schema.decode(entry.payload), entry.utc_ns)
            else:
                found.missing += entry.last - entry.first + 1
        found.changes = [
            one for one in reader.audits(MOST_AUDITS) if span.since_utc_ns <= one.utc_ns < span.until_utc_ns
        ]
    finally:
        reader.close()
    return found
