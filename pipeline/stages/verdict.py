"""The verdict on a part, with its reasons."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.recipe_defects import ZoneSettings
from pipeline.recipe_file import ViewSettings
from pipeline.result import Evaluation, KeypointState, Measurement, Reason, ResultState
from pipeline.stages.defect_limits import exceeded
from pipeline.stages.values import Measured, ViewFindings

PRECEDENCE = tuple(Evaluation)  # NOT_OK, UNDEFINED, NOT_DECIDABLE, OK
Finding = tuple[Evaluation, Reason]


def verdict(
    views: Mapping[str, ViewSettings],
    findings: Mapping[str, ViewFindings],
    measured: Sequence[Measured],
    zones: Mapping[str, ZoneSettings],
) -> tuple[ResultState, Evaluation, tuple[Reason, ...]]:
    """Weigh what was found on one part.

    NOT_OK: a tolerance is violated, a keypoint that must be present is hidden, or there are defects that are not allowed.
    UNDEFINED, state FAILED: a view shows no part, its picture is bad or a network failed on it. NOT_DECIDABLE: a keypoint
    that is needed, for a measurement or to place a zone, is unsure or hidden; or there are more defects than can be told, so that
    nobody knows how large those others are, or whether they lie in a zone.
    The first that occurs in this order is the verdict; its reasons come first.

    Args:
        views: every view of the recipe.
        findings: of the views in which this part was found.
        measured: of this part.
        zones: of the recipe.
    """
    found = [finding for view, settings in views.items() for finding in _of_view(view, settings, findings.get(view))]
    found += [finding for one in measured for finding in _of_measurement(one)]
    for view, settings in views.items():
        found += _of_defects(view, settings, findings.get(view), zones)
    found.sort(key=lambda finding: PRECEDENCE.index(finding[0]))
    evaluation = found[0][0] if found else Evaluation.OK
    state = ResultState.FAILED if evaluation is Evaluation.UNDEFINED else ResultState.COMPLETED
    named: dict[tuple[str, str, str], Reason] = {}
    for _, reason in found:  # a hidden keypoint that several measurements need is one reason
        named.setdefault((reason.code, reason.name, reason.view), reason)
    return state, evaluation, tuple(named.values())


def _of_view(view: str, settings: ViewSettings, findings: ViewFindings | None) -> Iterator[Finding]:
    if findings is None:
        yield Evaluation.UNDEFINED, Reason("no_part", view=view)
        return
    for reason in findings.image_reasons:
        yield Evaluation.UNDEFINED, reason
    for keypoint in findings.keypoints:
        if keypoint.name in settings.must_be_present:
            if keypoint.state is KeypointState.hidden:
                yield Evaluation.NOT_OK, Reason("hidden", name=keypoint.name, view=view)
            elif keypoint.state is KeypointState.unsure:
                yield Evaluation.NOT_DECIDABLE, Reason("unsure", name=keypoint.name, view=view)


def _of_defects(
    view: str, settings: ViewSettings, findings: ViewFindings | None, zones: Mapping[str, ZoneSettings]
) -> Iterator[Finding]:
    if findings is None or settings.segment is None:
        return
    for reason in exceeded(findings.defects, settings.segment.limit(), zone="", view=view):
        yield Evaluation.NOT_OK, reason
    for name, zone in zones.items():
        inside = [defect for defect in findings.defects if name in defect.zones]
        for reason in exceeded(inside, zone.limit(), zone=name, view=view):
            yield Evaluation.NOT_OK, reason
    if findings.untold_defects:
        told = len(findings.defects)
        value = float(told + findings.untold_defects)
        yield Evaluation.NOT_DECIDABLE, Reason("defects_untold", view=view, value=value, limit=float(told))
    for name in findings.unplaced:
        yield Evaluation.NOT_DECIDABLE, Reason("zone_unplaced", name=name, view=view)


def _of_measurement(measured: Measured) -> Iterator[Finding]:
    one = measured.measurement
    if one.evaluation is Evaluation.NOT_OK and one.value is not None:
        is_low = one.lower is not None and one.value < one.lower
        code, limit = ("low", one.lower) if is_low else ("high", one.upper)
        yield one.evaluation, Reason(code, name=one.name, view=one.view, value=one.value, limit=limit, unit=one.unit)
    elif measured.has_no_plane:
        yield one.evaluation, Reason("not_calibrated", view=one.view)
    elif one.evaluation is Evaluation.NOT_DECIDABLE:
        for keypoint in measured.lacking:
            yield one.evaluation, Reason(keypoint.state.value, name=keypoint.name, view=keypoint.view)
        for edge in measured.lost_edges:
            yield one.evaluation, Reason("edge_missing", name=edge, view=one.view)
        if not measured.lacking and not measured.lost_edges:
            yield one.evaluation, _uncertain(one)


def _uncertain(one: Measurement) -> Reason:
    """With value and limit where the value is known and lies too near that limit."""
    limits = [limit for limit in (one.lower, one.upper) if limit is not None]
    value = one.value
    if value is None or not limits:
        return Reason("uncertain", name=one.name, view=one.view)
    limit = min(limits, key=lambda limit: abs(limit - value))
    return Reason("uncertain", name=one.name, view=one.view, value=value, limit=limit, unit=one.unit)
