"""From what was found in the frames of a trigger to one answer for each part: live, and whenever it is inspected again."""

from collections.abc import Mapping, Sequence

from pipeline.inspector import Inspector
from pipeline.messages import PartAnswer
from pipeline.stages.values import ViewFindings


def part_answers(inspector: Inspector, views: Mapping[str, Sequence[ViewFindings]]) -> list[PartAnswer]:
    """One answer a part, the n-th part of one view being the n-th of every view; at least one: the trigger is owed it.

    Args:
        inspector: decides.
        views: what was found in the frame of each view of one trigger, part after part.
    """
    count = max([1, *(len(findings) for findings in views.values())])
    parts = [{view: found[n] for view, found in views.items() if n < len(found)} for n in range(count)]
    return [_answer(inspector, part) for part in parts]


def _answer(inspector: Inspector, views: Mapping[str, ViewFindings]) -> PartAnswer:
    decision = inspector.decide(views)
    return PartAnswer(
        result_state=decision.result_state,
        evaluation=decision.evaluation,
        reasons=list(decision.reasons),
        keypoints=list(decision.keypoints),
        measurements=list(decision.measurements),
        stages_ns=decision.stages_ns,
        regions={view: findings.region for view, findings in views.items()},
        defects=list(decision.defects),
        edges=list(decision.edges),
    )
