"""A stored part inspected again: the results that would be published of the same frames, by a recipe and backend at hand."""

from collections.abc import Collection, Sequence

import msgspec

from pipeline import result as result_schema
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.ledger.masters import DUE
from pipeline.loss import LossKind
from pipeline.messages import PartAnswer
from pipeline.part_answers import part_answers
from pipeline.replay.archive import LoadedPart
from pipeline.result import Disposition, Evaluation, Result

PASSING = (Evaluation.OK,)  # where nobody knows what the station said


def inspect_again(inspector: Inspector, part: LoadedPart, passing: Collection[Evaluation] = PASSING) -> list[Result]:
    """One result for each part that is found in the frames, as a station gives them.

    What is no finding (trigger, times, camera, images) is that of the first result; the times of the stages are those of now.

    Args:
        inspector: of a recipe with the views of the part.
        part: its frames.
        passing: evaluations that let a part pass.

    Raises:
        NetworkError: a network failed.
    """
    first = part.results[0]
    views = _in_order(first, part.frames)
    found = {view: inspector.inspect(view, frame) for view, frame in views}
    answers = part_answers(inspector, found)
    return [_result(inspector, part, answer, (number, len(answers)), passing) for number, answer in enumerate(answers)]


def was_inspected(results: Sequence[Result]) -> bool:
    """Whether these results are those of an inspection; else they tell a loss, as when the deadline was missed."""
    return not any(
        reason.code in _LOSSES or reason.code in ("recipe_missing", "masters_due") for reason in results[0].reasons
    )


def _in_order(first: Result, frames: dict[str, Frame]) -> list[tuple[str, Frame]]:
    """The views in the order in which they were inspected, which is that of the keypoints; the others after them."""
    order = [keypoint.view for keypoint in first.keypoints] + [view.view for view in first.views]
    return [(view, frames[view]) for view in dict.fromkeys(order) if view in frames]


def _result(
    inspector: Inspector, part: LoadedPart, answer: PartAnswer, place: tuple[int, int], passing: Collection[Evaluation]
) -> Result:
    recipe, first = inspector.recipe, part.results[0]
    result = msgspec.structs.replace(
        first,
        seq=first.seq + place[0],
        result_id=f"{first.session}-{first.seq + place[0]}",
        part_index=place[0],
        part_count=place[1],
        product_id=recipe.name,
        recipe_id=recipe.number,
        configuration_id=recipe.configuration_id,
        result_state=answer.result_state,
        result_evaluation=answer.evaluation,
        disposition=_disposition(part.results, place[0], answer.evaluation, passing),
        reasons=answer.reasons,
        views=[msgspec.structs.replace(view, region=answer.regions.get(view.view)) for view in first.views],
        keypoints=answer.keypoints,
        measurements=answer.measurements,
        stages_ns=answer.stages_ns,
        defects=answer.defects,
        edges=answer.edges,
    )
    return result_schema.decode(result_schema.encode(result))  # the numbers as a subscriber would have them


def _disposition(
    then: Sequence[Result], index: int, evaluation: Evaluation, passing: Collection[Evaluation]
) -> Disposition:
    """What was done with the part then, where its verdict is the same: a bad master, for one, is rejected however it looks."""
    if index < len(then) and then[index].result_evaluation is evaluation:
        return then[index].disposition
    return Disposition.PASS if evaluation in passing else Disposition.REJECT


# Answers without an inspection, and those whose verdict was taken back as long as masters were due.
_LOSSES = frozenset({*(kind.value for kind in LossKind), "recipe_missing", DUE})
