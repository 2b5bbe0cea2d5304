"""From an answer of the book to the results that are published: one for each part found, or one that tells the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipeline.clock import iso_utc
from pipeline.config import Station
from pipeline.ledger.actions import Answer, Part, ViewFrame
from pipeline.ledger.masters import DUE, Masters
from pipeline.ledger.purposes import Purposes
from pipeline.loss import LossKind
from pipeline.messages import LoadedRecipe, PartAnswer
from pipeline.requests import Purpose
from pipeline.result import SCHEMA_VERSION, Disposition, Evaluation, Reason, Result, ResultState, View


@dataclass(frozen=True, slots=True)
class Moment:
    """When an answer was given, on both clocks."""

    monotonic_ns: int
    utc_ns: int


@dataclass(slots=True)
class Answering:
    """What every result of this session has in common, and the number of the last one.

    Attributes:
        views: camera name to the name of its view.
        passing: evaluations that let a part pass.
        shots: camera name to the name of its shot.
        recipes: by number, as the infer workers tell of them; a result bears the name of the recipe of its part.
        purposes: of software triggers; without, all is production.
        masters: of the recipes; while they are due, no part passes.
    """

    station: str
    session: int
    views: dict[str, str]
    passing: frozenset[Evaluation]
    shots: dict[str, str]
    recipes: dict[int, LoadedRecipe]
    purposes: Purposes | None = None
    masters: Masters | None = None
    is_simulated: bool = False
    last_seq: int = 0

    @classmethod
    def of(
        cls,
        station: Station,
        session: int,
        recipes: dict[int, LoadedRecipe],
        purposes: Purposes | None = None,
        masters: Masters | None = None,
    ) -> "Answering":
        """As the station file says; `recipes` is filled in when infer has told them."""
        return cls(
            station=station.station,
            session=session,
            views=station.views,
            passing=frozenset(station.part.pass_),
            shots={name: settings.shot for name, settings in station.camera.items()},
            recipes=recipes,
            purposes=purposes,
            masters=masters,
        )

    def results(
        self,
        answer: Answer,
        found: Sequence[PartAnswer],
        moment: Moment,
        *,
        journaled: bool,
        images: Mapping[str, str],
    ) -> list[Result]:
        """The results of one trigger, numbered on: one for each part that was found in it, or one that tells the loss.

        Args:
            answer: of the book.
            found: what infer found of it, of no account where there is a loss.
            moment: when it is answered.
            journaled: whether it is about to be written down.
            images: view to the URI of its image, for those that are kept.
        """
        if answer.loss is not None:
            found = [_loss_answer(answer.loss, answer.lost_views)]
        return [
            self._result(answer.part, one, (index, len(found)), moment, journaled=journaled, images=images)
            for index, one in enumerate(found)
        ]

    def _result(
        self,
        part: Part,
        answer: PartAnswer,
        place: tuple[int, int],
        moment: Moment,
        *,
        journaled: bool,
        images: Mapping[str, str],
    ) -> Result:
        recipe = self.recipes.get(part.recipe)
        purpose = self._purpose(part, recipe)
        is_due = purpose == "production" and self.masters is not None and self.masters.fault(recipe, moment.utc_ns)
        if is_due and answer.result_state is ResultState.COMPLETED:
            answer = msgspec.structs.replace(
                answer, result_state=ResultState.FAILED, evaluation=Evaluation.UNDEFINED, reasons=[Reason(DUE)]
            )
        self.last_seq += 1
        result = Result(
            schema_version=SCHEMA_VERSION,
            session=self.session,
            seq=self.last_seq,
            station=self.station,
            result_id=f"{self.session}-{self.last_seq}",
            part_id=part.part_id,
            software_trigger=part.software,
            purpose=purpose,
            trigger_number=part.trigger_number,
            part_index=place[0],
            part_count=place[1],
            product_id=recipe.name if recipe else "",
            recipe_id=part.recipe,
            configuration_id=recipe.configuration_id if recipe else "",
            is_simulated=self.is_simulated,
            result_state=answer.result_state,
            result_evaluation=answer.evaluation,
            disposition=Disposition.PASS if answer.evaluation in self.passing and not is_due else Disposition.REJECT,
            reasons=answer.reasons,
            creation_time=iso_utc(moment.utc_ns - (moment.monotonic_ns - part.opened_ns)),
            answered_time=iso_utc(moment.utc_ns),
            views=[
                self._view(frame, view, answer.regions.get(view), images.get(view, ""))
                for view, frame in part.frames.items()
            ],
            keypoints=answer.keypoints,
            measurements=answer.measurements,
            stages_ns=answer.stages_ns,
            times=_times(part, moment),
            journaled=journaled,
            defects=answer.defects,
            edges=answer.edges,
        )
        if purpose != "master":
            return result
        if recipe is None or self.masters is None or not self.masters.is_master(recipe, part.part_id):
            return msgspec.structs.replace(
                result, disposition=Disposition.REJECT
            )  # a mistyped id: nobody knows what it is
        if self.masters.observe(recipe, result, moment.utc_ns):  # a bad one that looks good must not pass as good
            return msgspec.structs.replace(result, disposition=Disposition.REJECT)
        return result

    def _purpose(self, part: Part, recipe: LoadedRecipe | None) -> Purpose:
        """What the part is there for: its trigger said so, or it is one of the recipe's masters by its id."""
        if self.masters is not None and self.masters.is_master(recipe, part.part_id):
            return "master"
        return self.purposes.of(part.software) if self.purposes else "production"

    def _view(
        self, frame: ViewFrame, view: str, region: tuple[float, float, float, float] | None, image_uri: str
    ) -> View:
        return View(
            view=view,
            camera=frame.camera,
            frame_id=frame.info.frame_id,
            shot=self.shots.get(frame.camera, ""),
            exposure_us=frame.info.exposure_us,
            camera_ns=frame.info.camera_ns,
            received_time=iso_utc(frame.info.received_utc_ns),
            region=region,
            image_uri=image_uri,
        )


def _loss_answer(loss: LossKind, lost_views: Mapping[str, LossKind]) -> PartAnswer:
    """Why there is no verdict: for each view that is missing its own reason, or the one that is the part's as a whole."""
    reasons = [Reason(code=kind.value, view=view) for view, kind in lost_views.items()]
    return PartAnswer(
        result_state=ResultState.FAILED,
        evaluation=Evaluation.UNDEFINED,
        reasons=reasons or [Reason(code=loss.value)],
        keypoints=[],
        measurements=[],
        stages_ns={},
        regions={},
    )


def _times(part: Part, moment: Moment) -> dict[str, int]:
    """Monotonic host times in ns: comparable with one another and with other clocks of this machine, not with UTC."""
    times = {"opened_monotonic_ns": part.opened_ns, "answered_monotonic_ns": moment.monotonic_ns}
    received = [frame.info.received_monotonic_ns for frame in part.frames.values()]
    if received:
        times["received_monotonic_ns"] = max(received)
        times["received_to_answered_ns"] = moment.monotonic_ns - max(received)
    if part.dispatched_ns:
        times["dispatched_monotonic_ns"] = part.dispatched_ns
    return times
