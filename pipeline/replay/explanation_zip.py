"""All that belongs to a verdict in one archive: enough to open it again elsewhere."""

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipeline import lock
from pipeline import result as result_schema
from pipeline.errors import DataError
from pipeline.evidence.recipe_store import FOLDER
from pipeline.evidence.record import text_path
from pipeline.evidence.run_record import FILE_NAME
from pipeline.replay.attempt import Attempt
from pipeline.replay.explanation import Explanation
from pipeline.replay.explanation_page import explanation_page
from pipeline.replay.explanation_text import explanation_text

STORED = zipfile.ZIP_STORED  # PNG and networks do not get smaller


def write_zip(told: Explanation, file: BinaryIO) -> None:
    """Write why.txt, why.html, the results, what ran, the images with their texts, and the recipe of that day.

    There are no secrets in it: the station file, which names keys, is not.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("why.txt", explanation_text(told) + "\n")
        archive.writestr("why.html", explanation_page(told))
        archive.writestr("result.json", _json(told.found.results))
        for name, attempt in (("again", told.again), ("now", told.now)):
            if attempt is not None:
                archive.writestr(f"{name}.json", _attempt(attempt))
        archive.writestr("machine.json", _json({"then": told.run, "now": told.machine}))
        for path in told.found.images.values():
            place = "/".join(path.parts[-4:])  # images/DATE/HOUR/NAME, as a station keeps them
            archive.write(path, place, STORED)
            archive.write(text_path(path), str(Path(place).with_suffix(".json")))
        if told.recipe is not None:
            derived = told.run[1].derived if told.run else {}
            for name in (*told.recipe.files, *derived, lock.FILE_NAME):
                if (told.recipe.folder / name).is_file():
                    archive.write(told.recipe.folder / name, f"recipe/{name}", STORED)
        if told.run is not None:  # as in a station's store, so that what is unpacked can be opened again
            archive.writestr(f"{FOLDER}/{FILE_NAME}", msgspec.json.encode(told.run[0]) + b"\n")
            for path in _calibrations(told):
                archive.write(path, f"{FOLDER}/files/{path.parent.name}/{path.name}")


def _calibrations(told: Explanation) -> Iterator[Path]:
    """Those of that day, as far as they were kept."""
    for sha256 in told.run[0].calibrations.values() if told.run else ():
        with suppress(DataError):
            yield told.store.calibration(sha256)


def _attempt(attempt: Attempt) -> bytes:
    results = [msgspec.Raw(result_schema.encode(result)) for result in attempt.results]
    told = {"came_of_it": attempt.headline, "runs_on": attempt.runs_on, "results": results}
    return _json(told)


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
