"""Kept parts for tests, as a station leaves them: images with their texts, the journal, and what inspected them."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import result as result_schema
from pipeline.camera_settings import SyntheticSettings
from pipeline.clock import iso_utc
from pipeline.config import ArchiveSettings, Station
from pipeline.evidence import picture, record
from pipeline.evidence.image_name import image_path
from pipeline.inspector import Inspector
from pipeline.inspectors import Inspectors
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import Row
from pipeline.pixels import mono8_frame
from pipeline.recipe import Recipe, load_recipe
from pipeline.replay.again import inspect_again
from pipeline.replay.archive import LoadedPart
from pipeline.result import Result, View
from pipeline.sealing import seal
from pipeline.workers.recipe_keeper import keep
from tests.journals import RING
from tests.recipes import frame_with_part, make_recipe
from tests.results import result

SECOND_NS = 1_000_000_000
NOON_NS = 1_772_366_400 * SECOND_NS  # 2026-03-01T12:00:00Z


class Archive:
    """A station's state folder. `part` keeps a part of one view."""

    def __init__(self, state: Path, recipe: Path, view: str = "top") -> None:
        self.state, self.view, self.seq = state, view, 0
        state.mkdir()
        self.recipe: Recipe = load_recipe(recipe)
        self.inspector = Inspector.load(self.recipe, backend="onnxruntime")
        self.journal = Journal.open(state, RING, 0, lambda _: 100_000.0)

    def keep_recipe(self, station: Station, began_ns: int = NOON_NS) -> None:
        """As an inference process does when it starts."""
        inspectors = Inspectors({self.recipe.number: self.inspector}, [])
        keep(station, self.state, "infer.0", inspectors, began_ns)

    def part(self, grey: NDArray[np.uint8], *, kept: bool = True) -> Result:
        """Inspect a picture, journal the result, and keep the image."""
        self.seq += 1
        frame = mono8_frame(grey)
        utc_ns = NOON_NS + self.seq * SECOND_NS
        session, seq = self.journal.session, self.seq
        blank = result(
            session=session,
            seq=seq,
            result_id=f"{session}-{seq}",
            trigger_number=seq,
            reasons=[],
            answered_time=iso_utc(utc_ns),
            views=[View(self.view, "cam", seq)],
            keypoints=[],
            measurements=[],
            defects=[],
        )
        found = inspect_again(self.inspector, LoadedPart("", {self.view: frame}, [blank]))[0]
        uri = image_path(session, seq, self.view, utc_ns, found.result_evaluation) if kept else ""
        views = [msgspec.structs.replace(view, image_uri=uri) for view in found.views]
        found = msgspec.structs.replace(found, views=views)
        payload = result_schema.encode(found)
        if kept:
            image = self.state / uri
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(picture.encode(frame).tobytes())
            record.text_path(image).write_bytes(record.text_of(self.view, "cam", frame.info, payload))
        assert self.journal.commit([Row(seq, utc_ns, found.result_evaluation, seq, "", payload)], [], {})
        return found

    def parts(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Result]:
        """Several."""
        return [self.part(one) for one in pictures]

    def close(self) -> None:
        """Let go of the journal."""
        self.journal.close()


MEASURE = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = 2.0'


def pictures() -> list[NDArray[np.uint8]]:
    """Four parts; of the last two dots are 5 px too far to the right."""
    noise = np.random.default_rng(3)
    found = [frame_with_part() + noise.integers(0, 3, (256, 256), np.uint8) for _ in range(4)]
    found[3][:, 128:] = frame_with_part(shift_px=(5.0, 0.0))[:, 128:]
    return found


class Kept:
    """A station with a recipe, four kept parts of it and one whose image was not kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.recipe = make_recipe(folder / "recipes" / "part", ["top"], rest=MEASURE)
        self.station = folder / "station.toml"
        self.station.write_text(
            'format = 1\nstation = "L3"\nrecipes = "recipes"\n[camera.top]\ntype = "synthetic"\n'
            '[archive]\nfolder = "state"\n[infer]\nbackend = "onnxruntime"\n'
        )
        archive = Archive(self.state, self.recipe)
        archive.keep_recipe(
            Station(1, "L3", "", {"top": SyntheticSettings()}, archive=ArchiveSettings(str(self.state)))
        )
        self.results = archive.parts(pictures())
        self.lost = archive.part(pictures()[0], kept=False)
        archive.close()

    def change(self, tolerance: float) -> None:
        path = self.recipe / "recipe.toml"
        path.write_text(re.sub(r"tolerance = .*", f"tolerance = {tolerance}", path.read_text()))
        seal(self.recipe, {}, keep=1)
