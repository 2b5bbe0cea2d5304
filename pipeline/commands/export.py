"""`datumd export`: results and the audit trail out of the journal, while the daemon runs or after."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pipeline.clock import iso_utc, utc_ns
from pipeline.commands.whole_file import whole_file
from pipeline.errors import ConfigError, JournalError
from pipeline.result import Evaluation

if TYPE_CHECKING:
    from pipeline.ledger.journal_export import Span
    from pipeline.ledger.journal_reader import JournalReader
    from pipeline.requests import Gap

MOST_GAPS_TOLD = 20
MOST_AUDITS = 1_000_000  # more than are kept
EXAMPLES = """\
Examples:
  datumd export station.toml --since 2h                          results of the last two hours, one JSON object a line
  datumd export station.toml --since 2026-03-01 --until 2026-04-01 --format csv --output march.csv
  datumd export station.toml --since 7d --evaluation NOT_OK --format csv | column -ts,
  datumd export /var/lib/datumd/L3-S20 --since 30m               a folder with a journal, of this station or a copy
  datumd export station.toml --audit                             who changed what, and when

JSON lines are the bytes that were published. CSV has one line a result, and a column for each measurement that occurs;
the journal is read twice for that. Times are UTC. A date without a time is its midnight, UTC. What has expired, or was
never kept, is told on standard error. The journal is only read: the station is not held up.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write results from the journal as JSON lines or CSV",
        description="Write the results of a span of time from a station's journal, in order, as JSON lines or CSV.",
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
    parser.add_argument(
        "--since", metavar="TIME", help="from when: RFC 3339, a date, or a span back such as 30m, 2h, 7d (default: all)"
    )
    parser.add_argument("--until", metavar="TIME", help="until when, that moment excluded (default: the newest)")
    parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="default: %(default)s")
    parser.add_argument(
        "--evaluation",
        nargs="+",
        choices=[evaluation.value for evaluation in Evaluation],
        metavar="EVALUATION",
        help=f"only these: {', '.join(Evaluation)}",
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write to FILE (default: standard output)")
    parser.add_argument("--force", action="store_true", help="replace FILE where there is one")
    parser.add_argument("--audit", action="store_true", help="write the audit trail instead of results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write all. Raises ConfigError for what cannot be understood, JournalError where the journal cannot be read."""
    from pipeline.ledger.journal_reader import JournalReader

    folder = _folder(args.station)
    span = _span(args)
    if not (folder / "journal.db").exists():
        raise JournalError(
            "there is no journal here", where=str(folder), next_command="datumd export STATION.toml, or another folder"
        )
    reader = JournalReader.open(folder)
    try:
        with whole_file(args.output, force=args.force) as file:
            if args.audit:
                _write_audits(reader, span, args.format, file)
            else:
                _write_results(reader, span, args.format, file)
    finally:
        reader.close()
    return 0


def _folder(path: Path) -> Path:
    from pipeline.config import load_station
    from pipeline.runtime import state_place

    return path if path.is_dir() else state_place(load_station(path))


def _span(args: argparse.Namespace) -> "Span":
    from pipeline.commands.export_time import utc_ns_of
    from pipeline.ledger.journal_export import END_OF_TIME_NS, Span

    now = utc_ns()
    since = utc_ns_of(args.since, "--since", now) if args.since else 0
    until = utc_ns_of(args.until, "--until", now) if args.until else END_OF_TIME_NS
    if until <= since:
        raise ConfigError(f"{args.until} is not after --since {args.since}", where="--until", allowed="a later time")
    evaluations = frozenset(Evaluation(name) for name in args.evaluation or Evaluation)
    return Span(since, until, evaluations)


def _write_results(reader: "JournalReader", span: "Span", form: str, file: BinaryIO) -> None:
    from pipeline.commands.export_csv import CsvWriter, columns_of
    from pipeline.ledger.journal_export import Exported

    gaps = _Gaps()
    writer = None
    if form == "csv":
        found = reader.export(span)
        writer = CsvWriter(file, columns_of(result for result in found if isinstance(result, Exported)))
    for result in reader.export(span):
        if not isinstance(result, Exported):
            gaps.tell(result)
        elif writer is not None:
            writer.write(result)
        else:
            file.write(result.payload + b"\n")
    gaps.sum_up()


def _write_audits(reader: "JournalReader", span: "Span", form: str, file: BinaryIO) -> None:
    import msgspec

    from pipeline.commands.export_csv import Rows

    rows = Rows(file) if form == "csv" else None
    if rows is not None:
        rows.write(["time", "peer", "what", "before", "after"])
    for entry in reader.audits(MOST_AUDITS):
        if not span.since_utc_ns <= entry.utc_ns < span.until_utc_ns:
            continue
        time = iso_utc(entry.utc_ns)
        if rows is not None:
            rows.write([time, entry.peer, entry.what, entry.before, entry.after])
        else:
            told = {"time": time, "peer": entry.peer, "what": entry.what, "before": entry.before, "after": entry.after}
            file.write(msgspec.json.encode(told) + b"\n")


class _Gaps:
    """Tells what is missing: the first few gaps one by one, then the sum."""

    def __init__(self) -> None:
        self._gaps = 0
        self._results = 0

    def tell(self, gap: "Gap") -> None:
        from pipeline.result_text import gap_text

        self._gaps += 1
        self._results += gap.last - gap.first + 1
        if self._gaps <= MOST_GAPS_TOLD:
            print(f"datumd: {gap_text(gap)}", file=sys.stderr)

    def sum_up(self) -> None:
        if self._gaps > MOST_GAPS_TOLD:
            print(f"datumd: and more gaps, {self._gaps} in all: {self._results} results are gone", file=sys.stderr)
