"""`datumd build`: a recipe's networks as TensorRT plans for the GPU of this machine."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import EngineError, NetworkError

if TYPE_CHECKING:
    from engines.build import Progress
    from engines.plan import Profile
    from pipeline.supervisor.systemd import Notifier

PATIENCE_S = 600.0  # systemd's, for one step of the builder
STEP_S = 1.0  # between two lines for systemd


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "build",
        help="make TensorRT plans of a recipe for this machine's GPU",
        description="Compile every network of a recipe for the first GPU of this machine, minutes each, and keep the plans in "
        "a cache: /var/cache/datumd where the service made it, else ~/.cache/datumd. A plan is used with the network, GPU, "
        "driver and TensorRT that it was made for, and with no other. What is there is not made again. The daemon makes none: "
        "a station that runs takes new plans when it is started again.",
        epilog="Example: datumd build recipes/bracket --precision fp16 && datumd parity recipes/bracket",
    )
    parser.add_argument("recipe", type=Path, nargs="+", metavar="RECIPE", help="a recipe's folder")
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="of the networks; 16 and 8 bits are made by `datumd quantise` before (default: %(default)s)",
    )
    parser.add_argument("--plans", default="", metavar="DIR", help="another cache, as infer.plans in the station file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the plans, and print a line for each."""
    from engines.errors import EngineUnavailable
    from engines.load import choose
    from pipeline.plans import plans_folder, profiles
    from pipeline.precision import made_or_sealed, precision_file
    from pipeline.recipe import load_recipe
    from pipeline.supervisor.systemd import Notifier

    # Everything that can be wrong with the recipes is told before the first plan takes its minutes.
    recipes = [load_recipe(folder, sealed=False) for folder in args.recipe]
    files = [
        (
            path,
            (made_or_sealed if view.is_of_defects(path) else precision_file)(recipe.folder, path, args.precision),
            profile,
        )
        for recipe in recipes
        for view in recipe.views.values()
        for path, profile in profiles(view).items()
    ]
    try:
        choose("tensorrt")
    except EngineUnavailable as problem:
        raise EngineError(problem.what, where="tensorrt", next_command=problem.next) from None
    notifier, folder = Notifier.from_environment(), plans_folder(args.plans)
    for number, (path, file, profile) in enumerate(files, start=1):
        precision = "fp32" if file.path == path else args.precision
        label = f"{path.parent.name}/{path.name} ({precision}, {number} of {len(files)})"
        started = time.monotonic()
        built, is_new = _build(file.path, profile, precision, folder, _Teller(label, notifier))
        took = f"{time.monotonic() - started:.0f} s" if is_new else "was there"
        cleared = "\033[K" if sys.stdout.isatty() else ""
        print(f"{cleared}{label}: {built} ({built.stat().st_size / 2**20:.1f} MiB, {took})", flush=True)
    return 0


def _build(
    path: Path, profile: "Profile", precision: str, folder: Path, told: "Callable[[Progress], None]"
) -> tuple[Path, bool]:
    from engines.build import build_plan
    from engines.errors import EngineRefused, EngineUnavailable

    try:
        built = build_plan(path.read_bytes(), profile, precision, folder, told)
    except EngineUnavailable as problem:
        raise EngineError(problem.what, where=str(path), next_command=problem.next) from None
    except EngineRefused as problem:
        raise NetworkError(problem.what, where=str(path), next_command=problem.next) from None
    except OSError as problem:
        raise NetworkError(f"cannot be read ({problem.strerror})", where=str(path)) from None
    return built.path, built.is_new


class _Teller:
    """Says how far a build is: one line that changes on a terminal, one for each tenth elsewhere, and systemd's status."""

    def __init__(self, label: str, notifier: "Notifier") -> None:
        self._label, self._notifier = label, notifier
        self._is_terminal = sys.stdout.isatty()
        self._tenth = -1
        self._told_at = float("-inf")

    def __call__(self, progress: "Progress") -> None:
        text = f"{self._label}: {progress.phase} {progress.done}/{progress.steps}"
        if self._is_terminal:
            print(f"\r\033[K{text}", end="\r", flush=True)
        elif progress.steps and (tenth := 10 * progress.done // progress.steps) != self._tenth:
            self._tenth = tenth
            print(text, flush=True)
        if time.monotonic() - self._told_at >= STEP_S:
            self._told_at = time.monotonic()
            self._notifier.extend(PATIENCE_S)
            self._notifier.status(f"Building: {text}")
