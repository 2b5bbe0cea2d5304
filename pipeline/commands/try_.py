"""`datumd try`: a recipe, or a new version of datumd, on parts that a station has kept."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pipeline.replay.archive import ArchivedPart
    from pipeline.replay.trial import Trial
    from pipeline.replay.trial_run import Start

FLIPPED = 3
MOST_PROCESSES = 1024
EXAMPLES = """\
Examples:
  cp -r recipes/bracket /tmp/tighter && edit /tmp/tighter/recipe.toml && datumd seal /tmp/tighter
  datumd try /tmp/tighter /var/lib/datumd/L3-S20 --out tried       tables, and tried/index.html with pictures
  datumd try recipes/bracket archive/ --backend openvino           the same recipe on another backend
  datumd try recipes/bracket archive/ --most 500 --processes 2     500 parts, spread over the archive
  datumd try recipes/bracket archive/ --ray auto                   on a Ray cluster: pip install 'datumd[ray]'

Every part whose images were kept, and that was inspected by a recipe of the same number, is inspected again. The tables
compare what was published with what is found now. Nothing of the archive is changed.
Exit code: 0 it was tried, whatever came of it; 2 nothing could be tried; with --fail-on-flip 3 where a verdict flips.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "try",
        help="try a recipe on parts that a station has kept: how measurements spread, which verdicts flip",
        description="Inspect archived parts again by a sealed recipe, on all cores: per measurement min, mean, max and Cpk as "
        "published and as found now, and the parts whose verdict flips.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe's folder, sealed")
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="a station's state folder, or kept images of it")
    parser.add_argument(
        "--backend", default="auto", metavar="NAME", help="what runs the networks (default: %(default)s)"
    )
    parser.add_argument(
        "--precision", choices=("fp32", "fp16", "int8"), default="fp32", help="of the networks (default: %(default)s)"
    )
    parser.add_argument("--most", type=int, default=0, metavar="N", help="at most N parts, spread over the archive")
    add_pool(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write index.html, and pictures of what flips")
    parser.add_argument("--pictures", type=int, default=40, metavar="N", help="parts drawn (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tables as JSON")
    parser.add_argument("--force", action="store_true", help="replace FILE, and what lies in DIR")
    parser.add_argument("--fail-on-flip", action="store_true", help="exit code 3 where a verdict flips")
    parser.set_defaults(run=run)


def add_pool(parser: argparse.ArgumentParser) -> None:
    """The options that say who inspects."""
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="one for each core, unless told otherwise"
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="on a Ray cluster: its address, `auto`, or `local` for one on this machine"
    )


def pool_of(args: argparse.Namespace) -> "Start":
    """Who inspects, as `add_pool` has it. Raises ConfigError, EngineError where Ray is missing."""
    from pipeline.replay.pool import cores
    from pipeline.replay.trial_run import on_cores

    if not 0 <= args.processes <= MOST_PROCESSES:
        raise ConfigError(f"is {args.processes}", where="--processes", allowed=f"1 to {MOST_PROCESSES}; 0 = each core")
    if args.ray is not None:
        from pipeline.replay.ray_pool import on_ray

        return on_ray(args.ray, args.processes)
    return on_cores(args.processes or cores())


def run(args: argparse.Namespace) -> int:
    """Try a recipe. Raises DatumdError where nothing can be tried."""
    from pipeline.config import InferSettings
    from pipeline.overlay import segments
    from pipeline.recipe import load_recipe
    from pipeline.replay.archive import find_parts
    from pipeline.replay.progress import Progress
    from pipeline.replay.rerun import Job
    from pipeline.replay.trial_page import write_trial
    from pipeline.replay.trial_run import passing_in, planes_in, spread_over, tried

    if args.most < 0 or args.pictures < 0:
        raise ConfigError(f"--most {args.most} --pictures {args.pictures}", allowed="0 or more")
    _refuse_used(args)
    start = pool_of(args)
    recipe = load_recipe(args.recipe)
    parts = spread_over(find_parts(args.archive), args.most)
    infer = InferSettings(backend=args.backend, precision=args.precision, without_plan="refuse")
    job = Job(args.recipe, infer, planes_in(args.archive), passing_in(args.archive))
    progress = Progress(len(parts))
    try:
        result = tried(job, parts, start, progress.step)
    finally:
        progress.end()
    trial = result.trial
    if not trial.inspected and not trial.faulty:
        raise DataError(f"holds no part of a recipe of number {recipe.number}", where=str(args.archive))
    about = [
        ("recipe", f"{recipe.name} ({recipe.number}), configuration {recipe.configuration_id}, {args.recipe}"),
        ("archive", f"{args.archive}: {len(parts)} trigger(s) with images"),
        ("runs on", result.runs_on),
    ]
    tell(about, trial)
    if args.json:
        _write_json(args.json, dict(about), trial, force=args.force)
    if args.out:
        shown = drawn(trial, parts, args.pictures)
        write_trial(args.out, f"Recipe {recipe.name}, tried", about, trial, shown, segments(recipe.file.measure))
        print(f"written: {args.out / 'index.html'}", file=sys.stderr)
    return FLIPPED if args.fail_on_flip and trial.flipped + trial.other_parts else 0


def tell(about: list[tuple[str, str]], trial: "Trial") -> None:
    """Print what was tried and what came of it."""
    from pipeline.replay.trial_text import trial_text

    for name, words in about:
        print(f"{name:9} {words}")
    print(f"\n{trial_text(trial)}", flush=True)


def drawn(trial: "Trial", parts: "list[ArchivedPart]", most: int) -> "dict[str, ArchivedPart]":
    """The parts of the first flips, by name."""
    names = set(list(dict.fromkeys(flip.name for flip in trial.flips))[:most])
    return {part.name: part for part in parts if part.name in names}


def _refuse_used(args: argparse.Namespace) -> None:
    """Before the work, not after it. Raises ConfigError."""
    from pipeline.commands.whole_file import refuse_taken

    if args.out and args.out.exists() and not args.out.is_dir():
        raise ConfigError("is no folder", where=str(args.out), allowed="a folder, new or empty")
    if args.out and args.out.is_dir() and any(args.out.iterdir()) and not args.force:
        raise ConfigError("is not empty", where=str(args.out), next_command="add --force, or choose another folder")
    refuse_taken(args.json, force=args.force)


def _write_json(path: Path, about: dict[str, str], trial: "Trial", *, force: bool) -> None:
    from pipeline.commands.whole_file import whole_file
    from pipeline.replay.trial_text import figures

    with whole_file(path, force=force) as file:
        file.write(json.dumps({**about, **figures(trial)}, indent=1).encode() + b"\n")
