"""All that belongs to a verdict in one archive: enough to open it again elsewhere."""

import zipfile
from pathlib import Path
from typing import BinaryIO

import msgspec

from pipeline import result as result_schema
from pipeline.evidence.record import text_path
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
            for name in (*told.recipe.files, "recipe.lock"):
                archive.write(told.recipe.folder / name, f"recipe/{name}", STORED)


def _attempt(attempt: Attempt) -> bytes:
    results = [msgspec.Raw(result_schema.encode(result)) for result in attempt.results]
    told = {"came_of_it": attempt.headline, "runs_on": attempt.runs_on, "results": results}
    return _json(told)


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
