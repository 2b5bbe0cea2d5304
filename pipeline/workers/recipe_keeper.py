"""Keeps what an inference process inspects by: its recipes beside the journal, and a record of what runs them."""

import hashlib
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from pipeline import plain_file
from pipeline.clock import utc_ns
from pipeline.config import Station
from pipeline.errors import DatumdError
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.evidence.run_record import RunRecipe, RunRecord, append_run, this_machine
from pipeline.inspector import Inspector
from pipeline.inspectors import Inspectors
from pipeline.precision import FOLDER
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

NICENESS = 10  # inspection comes first


def keep_recipes(context: WorkerContext, inspectors: Inspectors) -> threading.Thread:
    """Keep them in a thread of its own: a disk that hangs holds up no part. What cannot be kept is told in the log."""
    began_ns = utc_ns()

    def run() -> None:
        with suppress(OSError):  # a sandbox may not let us, and it works without
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        keep(context.runtime.station, Path(context.runtime.state_folder), context.name, inspectors, began_ns)

    thread = threading.Thread(target=run, name="recipes", daemon=True)
    thread.start()
    return thread


def keep(station: Station, state_folder: Path, worker: str, inspectors: Inspectors, began_utc_ns: int) -> None:
    """Write the record of this process first: files that only it names are then known to belong to a recipe.

    Args:
        station: the station file.
        state_folder: where its journal lies.
        worker: the process, as it is called in the process list.
        inspectors: what it has loaded.
        began_utc_ns: when.
    """
    store = RecipeStore.of(state_folder)
    derived: dict[int, dict[str, str]] = {}
    calibrations = {station.views[name]: one.calibration for name, one in station.camera.items() if one.calibration}
    try:
        derived = {number: _derived(one) for number, one in inspectors.by_number.items()}
        hashes = {view: _sha256(Path(file)) for view, file in calibrations.items()}
        append_run(store.folder, _record(station, worker, inspectors, derived, hashes, began_utc_ns))
        for view, file in calibrations.items():
            store.keep_calibration(Path(file), hashes[view])
    except (OSError, DatumdError, plain_file.NotPlainError) as problem:
        log.error("what runs here is not written down: %s", problem)
    for number, inspector in inspectors.by_number.items():
        try:
            store.keep(inspector.recipe, derived.get(number, {}))
        except (OSError, DatumdError, plain_file.NotPlainError) as problem:
            log.error("recipe %s (%d) is not kept for later: %s", inspector.recipe.name, number, problem)


def _record(
    station: Station,
    worker: str,
    inspectors: Inspectors,
    derived: dict[int, dict[str, str]],
    calibrations: dict[str, str],
    began_utc_ns: int,
) -> RunRecord:
    recipes = [
        RunRecipe(number, one.recipe.name, one.recipe.configuration_id, one.backend, derived[number])
        for number, one in inspectors.by_number.items()
    ]
    return RunRecord(
        format=1,
        began_utc_ns=began_utc_ns,
        worker=worker,
        station=station.station,
        infer=station.infer,
        passing=station.part.pass_,
        machine=this_machine(),
        recipes=recipes,
        calibrations=calibrations,
    )


def _derived(inspector: Inspector) -> dict[str, str]:
    """The files of the recipe's networks in the precision that runs, with their notes: path in its folder to sha256."""
    folder = inspector.recipe.folder
    if inspector.precision == "fp32":
        return {}
    found = {}
    for path in sorted((folder / FOLDER).glob(f"*/*.{inspector.precision}.*")):
        found[path.relative_to(folder).as_posix()] = _sha256(path)
    return found


def _sha256(path: Path) -> str:
    with plain_file.open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
