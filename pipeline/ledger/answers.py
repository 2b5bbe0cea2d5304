"""From an answer of the book to the results that are published: one for each part found, or one that tells the loss."""

from dataclasses import dataclass

from pipeline.clock import iso_utc
from pipeline.ledger.actions import Answer, Part
from pipeline.loss import LossKind
from pipeline.messages import PartAnswer
from pipeline.result import SCHEMA_VERSION, Disposition, Evaluation, Reason, Result, ResultState, View


@dataclass(frozen=True, slots=True)
class Moment:
    """When an answer was given, on both clocks."""

    monotonic_ns: int
    utc_ns: int


@dataclass(slots=True)
class Answering:
    """What every result of this session has in common, and the number of the last one.

    `recipe` fields are filled in when the first infer worker says which recipe it has loaded.
    """

    station: str
    session: int
    views: dict[str, str]
    passing: frozenset[Evaluation]
    shots: dict[str, str]
    recipe_id: int = 0
    product_id: str = ""
    configuration_id: str = ""
    is_simulated: bool = False
    last_seq: int = 0

    def results(self, answer: Answer, found: list[PartAnswer], moment: Moment) -> list[Result]:
        """The results of one trigger, numbered on."""
        if answer.loss is not None:
            found = [_loss_answer(answer.loss, answer.lost_views or ("",))]
        return [
            self._result(answer.part, part_answer, index, len(found), moment) for index, part_answer in enumerate(found)
        ]

    def _result(self, part: Part, answer: PartAnswer, index: int, count: int, moment: Moment) -> Result:
        self.last_seq += 1
        disposition = Disposition.PASS if answer.evaluation in self.passing else Disposition.REJECT
        created_utc_ns = moment.utc_ns - (moment.monotonic_ns - part.opened_ns)
        return Result(
            schema_version=SCHEMA_VERSION,
            session=self.session,
            seq=self.last_seq,
            station=self.station,
            result_id=f"{self.session}-{self.last_seq}",
            trigger_number=part.trigger_number,
            part_index=index,
            part_count=count,
            product_id=self.product_id,
            recipe_id=self.recipe_id,
            configuration_id=self.configuration_id,
            is_simulated=self.is_simulated,
            result_state=answer.result_state,
            result_evaluation=answer.evaluation,
            disposition=disposition,
            reasons=answer.reasons,
            creation_time=iso_utc(created_utc_ns),
            answered_time=iso_utc(moment.utc_ns),
            views=[self._view(part, view, answer) for view in part.frames],
            keypoints=answer.keypoints,
            measurements=answer.measurements,
            stages_ns=answer.stages_ns,
            times=_times(part, moment),
        )

    def _view(self, part: Part, view: str, answer: PartAnswer) -> View:
        frame = part.frames[view]
        return View(
            view=view,
            camera=frame.camera,
            frame_id=frame.info.frame_id,
            shot=self.shots.get(frame.camera, ""),
            exposure_us=frame.info.exposure_us,
            camera_ns=frame.info.camera_ns,
            received_time=iso_utc(frame.info.received_utc_ns),
            region=answer.regions.get(view),
        )


def _loss_answer(loss: LossKind, views: tuple[str, ...]) -> PartAnswer:
    return PartAnswer(
        result_state=ResultState.FAILED,
        evaluation=Evaluation.UNDEFINED,
        reasons=[Reason(code=loss.value, view=view) for view in views],
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
