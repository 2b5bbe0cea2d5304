"""`datumd replay`: kept parts inspected again by the recipes of their day, differences field by field."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError
from pipeline.result_text import printable

if TYPE_CHECKING:
    from collections import Counter

    from pipeline.replay.groups import Group
    from pipeline.replay.progress import Progress
    from pipeline.replay.replayed import Replayed

DIFFERENT = 1
EXAMPLES = """\
Examples:
  datumd replay /var/lib/datumd/L3-S20                        bit for bit, each part by the recipe that it was inspected by
  datumd replay archive/ --recipe recipes/bracket             by this recipe, whatever inspected them
  datumd replay archive/ --backend openvino --parity          another backend: as far as the recipe's seal allows
  datumd replay archive/ --tolerance keypoints.xy=0.05 --tolerance measurements.value=0.002

The recipes of their day are those that a station keeps in its state folder beside the journal; --recipe is for an archive
without them. Fields that may have a tolerance: views.region, keypoints.xy .xy_mm .visibility .sigma_px, measurements.value
.sigma .nominal .lower .upper, reasons.value .limit, defects.area_px .area_mm2 .score .box .peak.
Exit code: 0 nothing differs by more than its tolerance; 1 something does, or a part could not be inspected; 2 nothing was.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "replay",
        help="inspect kept parts again and print what differs from what was published, field by field",
        description="Inspect archived frames again, each by the recipe of its day, and print what differs from what was "
        "published, field by field, with a tolerance for each field.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("archive", type=Path, metavar="DIR", help="a station's state folder, or kept images of it")
    parser.add_argument(
        "--recipe", type=Path, metavar="DIR", help="a recipe, or folder of recipes, instead of those kept"
    )
    parser.add_argument("--backend", default="", metavar="NAME", help="instead of the one of that day")
    parser.add_argument(
        "--tolerance",
        action="append",
        default=[],
        metavar="FIELD=NUMBER",
        help="how far a field may differ (default 0)",
    )
    parser.add_argument("--parity", action="store_true", help="allow what the recipe's seal allows another backend")
    parser.add_argument("--most", type=int, default=0, metavar="N", help="at most N parts, spread over the archive")
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="one for each core, unless told otherwise"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay all. Raises DatumdError where nothing can be replayed."""
    from engines.load import BACKENDS
    from pipeline.replay.archive import find_parts
    from pipeline.replay.groups import grouped
    from pipeline.replay.progress import Progress
    from pipeline.replay.replayed import Replayed, tolerances_of
    from pipeline.replay.trial_run import spread_over

    tolerances = tolerances_of(args.tolerance)
    if args.parity and tolerances:
        raise ConfigError("--parity and --tolerance both say what may differ", allowed="one of them")
    if args.backend and args.backend not in ("auto", *BACKENDS):
        raise ConfigError(f"{args.backend!r} is no backend", where="--backend", allowed=f"auto, {', '.join(BACKENDS)}")
    if args.most < 0 or args.processes < 0:
        raise ConfigError(f"--most {args.most} --processes {args.processes}", allowed="0 or more")
    parts = spread_over(find_parts(args.archive), args.most)
    replayed, progress = Replayed(), Progress(len(parts))
    try:
        with grouped(args.archive, parts, args.recipe, args.backend) as (groups, left):
            for group in groups:
                _replay(args, group, tolerances, replayed, progress)
    finally:
        progress.end()
    _sum_up(replayed, left)
    if not replayed.inspected and not replayed.without_inspection:
        raise DataError("nothing was inspected", where=str(args.archive), next_command="--recipe DIR")
    return DIFFERENT if replayed.different or replayed.faults or left else 0


def _replay(
    args: argparse.Namespace, group: "Group", tolerances: dict[str, float], replayed: "Replayed", progress: "Progress"
) -> None:
    """Inspect the parts of one recipe, and tell what differs as it comes."""
    from pipeline.replay.pool import Pool, cores
    from pipeline.replay.replayed import exactly_but, within_parity

    recipe = group.recipe
    judge = within_parity(recipe) if args.parity else exactly_but(tolerances)
    with Pool(group.job, args.processes or cores()) as pool:
        progress.end()
        told = f"recipe {recipe.name} ({recipe.number}) {recipe.configuration_id} on {pool.runs_on}"
        print(f"{told}: {len(group.parts)} trigger(s)", flush=True)
        for outcome in pool.outcomes(group.parts):
            if lines := replayed.add(outcome, judge):
                progress.end()
                print("\n".join(printable(line) for line in lines), flush=True)
            progress.step()


def _sum_up(replayed: "Replayed", left: "Counter[str]") -> None:
    from pipeline.replay.trial_text import table_lines

    for fault, count in left.items():
        print(f"not inspected: {count} trigger(s): {printable(fault)}")
    if rows := replayed.rows():
        print("\n" + "\n".join(line.rstrip() for line in table_lines(rows)) + "\n")
    words = [
        f"{replayed.same} the same bit for bit",
        f"{replayed.allowed} within tolerances",
        f"{replayed.different} not",
    ]
    if replayed.without_inspection:
        words.append(f"{replayed.without_inspection} had no inspection to compare with")
    if failed := len(replayed.faults) + sum(left.values()):
        words.append(f"{failed} could not be inspected")
    print(f"{replayed.inspected} trigger(s) inspected again: {', '.join(words)}")
