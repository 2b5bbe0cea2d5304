"""`datumd upgrade --check`: whether the version that is installed now decides as the one before did."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pipeline.config import Station
    from pipeline.recipe import Recipe
    from pipeline.replay.archive import ArchivedPart
    from pipeline.replay.trial import Trial

FLIPS = 1
EXAMPLES = """\
An update, without a surprise:
  python3 -m venv /opt/datumd-new && /opt/datumd-new/bin/pip install datumd
  /opt/datumd-new/bin/datumd upgrade --check station.toml     while the station runs on with the old version
  systemctl stop datumd@L3 && ... && systemctl start datumd@L3

Every part that an installed recipe has inspected, and whose images were kept, is inspected again by the datumd that this is,
on the backend that the station names. Parts of recipes that were changed since are left alone: see `datumd try`.
Exit code: 0 no verdict flips; 1 a verdict flips, or a part cannot be inspected; 2 nothing could be checked.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    from pipeline.commands.try_ import add_pool

    parser = subparsers.add_parser(
        "upgrade",
        help="check before an update that the new version decides as the old one did",
        description="Inspect a station's kept parts again by its installed recipes with this version of datumd.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", required=True, help="inspect; nothing is installed or changed")
    parser.add_argument(
        "station", nargs="?", type=Path, default=Path("station.toml"), help="the station file (default: %(default)s)"
    )
    parser.add_argument("--most", type=int, default=0, metavar="N", help="at most N parts, spread over the archive")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for each recipe a folder with pictures of what flips")
    add_pool(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check every installed recipe. Raises DatumdError where nothing can be checked."""
    from pipeline.config import load_station
    from pipeline.recipe import Recipe, find_recipes
    from pipeline.replay.archive import find_parts
    from pipeline.replay.trial_run import spread_over
    from pipeline.runtime import state_place

    if args.most < 0:
        raise ConfigError(f"is {args.most}", where="--most", allowed="0 or more")
    station = load_station(args.station)
    state = state_place(station)
    parts = spread_over(find_parts(state), args.most)
    found = find_recipes(Path(station.recipes))
    for one in found:
        if not isinstance(one.recipe, Recipe):
            print(f"left alone: {one.recipe}")
    trials = [_checked(args, station, state, one.recipe, parts) for one in found if isinstance(one.recipe, Recipe)]
    if not any(trial.inspected or trial.faulty for trial in trials):
        raise DataError(
            "holds no kept part of the recipes that are installed now",
            where=str(state),
            next_command="datumd try RECIPE ARCHIVE, for a recipe that was changed since",
        )
    return FLIPS if any(trial.flipped or trial.other_parts or trial.faulty for trial in trials) else 0


def _checked(
    args: argparse.Namespace, station: "Station", state: Path, recipe: "Recipe", parts: "list[ArchivedPart]"
) -> "Trial":
    from pipeline.commands.try_ import drawn, pool_of, tell
    from pipeline.inspectors import calibrated
    from pipeline.overlay import segments
    from pipeline.replay.progress import Progress
    from pipeline.replay.rerun import Job
    from pipeline.replay.trial_page import write_trial
    from pipeline.replay.trial_run import tried
    from pipeline.version import version

    planes = calibrated(station)
    job = Job(recipe.folder, station.infer, planes, station.part.pass_, recipe.configuration_id)
    progress = Progress(len(parts))
    try:
        result = tried(job, parts, pool_of(args), progress.step)
    finally:
        progress.end()
    about = [
        ("recipe", f"{recipe.name} ({recipe.number}), configuration {recipe.configuration_id}"),
        ("archive", f"{state}: {len(parts)} trigger(s) with images"),
        ("runs on", f"datumd {version()}, {result.runs_on}"),
        ("then", _then(state, recipe.configuration_id)),
    ]
    tell(about, result.trial)
    if args.out:
        folder = args.out / f"{recipe.number}-{recipe.name}"
        shown = drawn(result.trial, parts, 40)
        write_trial(folder, f"Recipe {recipe.name}, checked", about, result.trial, shown, segments(recipe.file.measure))
    return result.trial


def _then(state: Path, configuration_id: str) -> str:
    """The versions that inspected by this recipe, as far as somebody wrote them down."""
    from pipeline.evidence.recipe_store import RecipeStore
    from pipeline.evidence.run_record import read_runs

    found = {
        f"datumd {run.machine.libraries.get('datumd', '?')}, {recipe.runs_on}"
        for run in read_runs(RecipeStore.of(state).folder)
        for recipe in run.recipes
        if recipe.configuration_id == configuration_id
    }
    return "; ".join(sorted(found)) or "nobody wrote it down"
