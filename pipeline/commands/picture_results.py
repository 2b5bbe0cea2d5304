"""From an image file to its results, by one view of a recipe, without a station."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.camera.image_file import read_image
from pipeline.clock import iso_utc, monotonic_ns, utc_ns
from pipeline.errors import ConfigError
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.recipe import Recipe
from pipeline.result import SCHEMA_VERSION, Disposition, Evaluation, Result, View
from pipeline.stages.values import Decision, ViewFindings


def of_view(recipe: Recipe, view: str) -> Recipe:
    """The recipe as if it had this view only: what is measured and judged in others is left out.

    Args:
        recipe: of any views.
        view: its name; "" is the only one there.

    Raises:
        ConfigError: there is no such view, or there are several and none is named.
    """
    if view not in recipe.views and (view or len(recipe.views) > 1):
        what = f"the recipe has no view {view}" if view else "the recipe has several views, and each image shows one"
        raise ConfigError(what, where="--view", allowed=", ".join(recipe.views))
    name, file = view or next(iter(recipe.views)), recipe.file
    narrowed = msgspec.structs.replace(
        file,
        view={name: file.view[name]},
        measure={key: wanted for key, wanted in file.measure.items() if file.view_of(wanted) == name},
        zone={key: wanted for key, wanted in file.zone.items() if file.view_of(wanted) == name},
        edge_circle={key: wanted for key, wanted in file.edge_circle.items() if file.view_of(wanted) == name},
        edge_line={key: wanted for key, wanted in file.edge_line.items() if file.view_of(wanted) == name},
    )
    return replace(recipe, file=narrowed, views={name: recipe.views[name]})


@dataclass(frozen=True, slots=True)
class PictureResults:
    """Inspects image files one after the other. `inspector` is that of a recipe with one view."""

    inspector: Inspector

    @property
    def view(self) -> str:
        """The name of the view."""
        return next(iter(self.inspector.recipe.views))

    def results(self, path: Path, number: int) -> list[Result]:
        """One result for each part in the image, or the one that says that there is none.

        The image is read as a folder camera reads it into Mono8. `part_id` is the path as given; session, station and
        trigger are those of nobody, and `seq` counts the images.

        Args:
            path: png, jpg, bmp or tif.
            number: which image of this run it is.

        Raises:
            CameraError: it cannot be read.
            NetworkError: a network failed.
        """
        frame = mono8_frame(read_image(path, colour=False))
        found = self.inspector.inspect(self.view, frame)
        parts: Sequence[ViewFindings | None] = found or [None]
        return [
            self._result(path, (number, index, len(parts)), frame, findings) for index, findings in enumerate(parts)
        ]

    def _result(self, path: Path, place: tuple[int, int, int], frame: Frame, findings: ViewFindings | None) -> Result:
        recipe, info = self.inspector.recipe, frame.info
        decision: Decision = self.inspector.decide({} if findings is None else {self.view: findings})
        answered, received = monotonic_ns(), info.received_monotonic_ns
        is_passed = decision.evaluation is Evaluation.OK
        shown = View(
            view=self.view,
            camera="",
            frame_id=place[0],
            received_time=iso_utc(info.received_utc_ns),
            region=findings.region if findings is not None else None,
            image_uri=Path(os.path.abspath(path)).as_uri(),  # noqa: PTH100 - resolve() would follow links
        )
        return Result(
            schema_version=SCHEMA_VERSION,
            session=0,
            seq=place[0],
            station="",
            result_id=f"0-{place[0]}",
            part_id=named(path),
            trigger_number=None,
            part_index=place[1],
            part_count=place[2],
            product_id=recipe.name,
            recipe_id=recipe.number,
            configuration_id=recipe.configuration_id,
            purpose="setup",
            is_simulated=True,  # as a folder camera's: no part was seen
            result_state=decision.result_state,
            result_evaluation=decision.evaluation,
            disposition=Disposition.PASS if is_passed else Disposition.REJECT,
            reasons=list(decision.reasons),
            creation_time=iso_utc(info.received_utc_ns),
            answered_time=iso_utc(utc_ns()),
            views=[shown],
            keypoints=list(decision.keypoints),
            measurements=list(decision.measurements),
            stages_ns=decision.stages_ns,
            times={
                "received_monotonic_ns": received,
                "answered_monotonic_ns": answered,
                "received_to_answered_ns": answered - received,
            },
            defects=list(decision.defects),
            edges=list(decision.edges),
        )


def named(path: Path) -> str:
    """The path as text that JSON can hold: a file's name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "replace")
