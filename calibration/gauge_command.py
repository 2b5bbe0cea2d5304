"""`datumd gauge`: whether the station is a gauge that may be trusted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.connection import add_connection, reached
from pipeline.commands.whole_file import whole_file
from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from calibration.gauge.readings import Reading
    from calibration.gauge.study import Study

FAILED = 3
_EPILOG = """\
examples:
  datumd gauge record --parts 10 --loadings 3 --repeats 3 --out study.csv      ask for each part, and inspect it
  datumd gauge grr study.csv --html study.html                                repeatability and reproducibility
  datumd gauge record --parts 1 --repeats 50 --out master.csv
  datumd gauge type1 master.csv --measurement pin_span --reference 12.703
  datumd gauge linearity sizes.csv                                            with a column reference
  datumd gauge attribute study.csv --truth truth.csv                          part,verdict: OK or NOT_OK
  datumd gauge capability parts.csv --html parts.html

STUDY.csv is any table with a column part and a column value (or verdict); measurement, loading, repeat, reference, lower and upper
are read where they are there. docs/gauge.md says what each study asks for and how it judges.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "gauge",
        help="study what a station's measurements are worth: Cg, GR&R, linearity, attribute agreement, Cpk",
        description="Study a station as a gauge. Exit code: 0 passed, 3 a measurement failed, 2 the study cannot be made.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    _add_record(kinds)
    _add_study(
        kinds, "type1", "one part of known size, many times: Cg, Cgk, bias", _type1, reference=True, tolerance=True
    )
    _add_study(
        kinds, "grr", "parts x loadings x repeats: repeatability and reproducibility by ANOVA", _grr, tolerance=True
    )
    _add_study(kinds, "linearity", "parts of known sizes: bias over the range", _linearity)
    attribute = _add_study(kinds, "attribute", "parts known to be good or bad: kappa, misses, false alarms", _attribute)
    attribute.add_argument("--truth", type=Path, required=True, metavar="FILE.csv", help="columns part and verdict")
    capable = _add_study(kinds, "capability", "single parts against their limits: Cp, Cpk", _capability)
    capable.add_argument("--lower", type=float, help="in place of the limits in the table")
    capable.add_argument("--upper", type=float, help="likewise")


def _add_record(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "record",
        help="take readings from a running station",
        description="Ask for each part, inspect it by software triggers of purpose gauge, and keep every reading at once. "
        "Started again with the same --out it goes on where it was.",
    )
    add_connection(parser)
    parser.add_argument("--parts", type=_names, required=True, metavar="N|A,B,C", help="how many parts, or their names")
    parser.add_argument(
        "--loadings", type=_names, default=["1"], metavar="N|A,B,C", help="how often each is put in, or by whom"
    )
    parser.add_argument(
        "--repeats", type=_count, default=1, metavar="N", help="inspections without touching it (%(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STUDY.csv")
    parser.add_argument(
        "--unattended", action="store_true", help="do not wait for Enter: something else puts the parts in"
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="for an answer (%(default)g)")
    parser.set_defaults(run=_record)


def _add_study(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    what: str,
    study: Callable[[argparse.Namespace, Sequence[Reading]], Study],
    *,
    reference: bool = False,
    tolerance: bool = False,
) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    parser.add_argument("readings", type=Path, metavar="STUDY.csv")
    parser.add_argument("--measurement", action="append", metavar="NAME", help="this one alone; may be repeated")
    parser.add_argument("--part", action="append", metavar="NAME", help="this part alone; may be repeated")
    if reference:
        parser.add_argument("--reference", type=float, metavar="SIZE", help="what the part truly measures")
    if tolerance:
        parser.add_argument("--tolerance", type=float, metavar="WIDTH", help="in place of the limits in the table")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument("--force", action="store_true", help="overwrite them")
    parser.set_defaults(run=_run, made=study)
    return parser


def _record(args: argparse.Namespace) -> int:
    from calibration.gauge.readings import ReadingsFile
    from calibration.gauge.record import Inspections, Plan, record

    file = ReadingsFile(args.out)
    try:
        station = Inspections(*reached(args), args.timeout)
        try:
            record(Plan(args.parts, args.loadings, args.repeats), file, station.inspect, _asker(args.unattended), _say)
        finally:
            station.close()
    finally:
        file.close()
    _say(
        f"{args.out}: {len(file.readings)} readings; next: datumd gauge grr {args.out} --html {args.out.with_suffix('.html')}"
    )
    return 0


def _run(args: argparse.Namespace) -> int:
    _need_scipy()
    from calibration.gauge import report
    from calibration.gauge.readings import by_measurement, read

    readings = [one for one in read(args.readings) if not args.part or one.part in args.part]
    groups = by_measurement(readings)
    unknown = sorted(set(args.measurement or ()) - set(groups))
    if unknown or not readings:
        what = f"there is no measurement {unknown[0]!r}" if unknown else "there are no readings"
        raise DataError(what, where=str(args.readings), allowed=", ".join(groups) or "readings")
    studies = [args.made(args, group) for name, group in groups.items() if name in (args.measurement or groups)]
    for path, made in ((args.html, report.page), (args.csv, report.table)):
        if path is not None:
            with whole_file(path, force=args.force) as file:
                file.write(made(studies, readings, args.readings.name).encode())
    sys.stdout.write(report.text(studies))
    return FAILED if any(one.passed is False for one in studies) else 0


def _type1(args: argparse.Namespace, readings: Sequence[Reading]) -> Study:
    from calibration.gauge.study_type1 import study_type1

    return study_type1(readings, args.reference, args.tolerance)


def _grr(args: argparse.Namespace, readings: Sequence[Reading]) -> Study:
    from calibration.gauge.study_grr import study_grr

    return study_grr(readings, args.tolerance)


def _linearity(_args: argparse.Namespace, readings: Sequence[Reading]) -> Study:
    from calibration.gauge.study_linearity import study_linearity

    return study_linearity(readings)


def _attribute(args: argparse.Namespace, readings: Sequence[Reading]) -> Study:
    from calibration.gauge.readings import read
    from calibration.gauge.study_attribute import study_attribute, truths_of

    return study_attribute(readings, truths_of(read(args.truth)))


def _capability(args: argparse.Namespace, readings: Sequence[Reading]) -> Study:
    from calibration.gauge.study_capability import study_capability

    return study_capability(readings, args.lower, args.upper)


def _need_scipy() -> None:
    try:
        import scipy  # noqa: F401 - to say what is missing before anything is read
    except ImportError:
        raise ConfigError("SciPy is missing", next_command="pip install 'datumd[gauge]'") from None


def _asker(unattended: bool) -> Callable[[str], None]:
    def ask(text: str) -> None:
        try:
            input(f"{text}, then press Enter ")
        except EOFError:
            raise ConfigError(
                "there is nobody to put parts in", where="standard input", allowed="--unattended"
            ) from None

    return (lambda _text: None) if unattended else ask


def _say(text: str) -> None:
    print(text, flush=True)


def _names(text: str) -> list[str]:
    """`3` are 1, 2 and 3; else names between commas."""
    if text.isdigit():
        return [str(n + 1) for n in range(_count(text))]
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: a number, or different names between commas")
    return names


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: a number from 1 to 10000")
    return int(text)
