"""A study of verdicts as figures and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calibration.gauge.attribute import FAIR_KAPPA, GOOD_KAPPA, Rate, agreement
from calibration.gauge.readings import PASSED, REJECTED, Reading
from calibration.gauge.study import Study, or_blank
from pipeline.errors import DataError


def study_attribute(readings: Sequence[Reading], truths: Mapping[str, bool]) -> Study:
    """Verdicts on parts that are known to be good or bad. Raises DataError as `agreement`."""
    passed: dict[str, list[bool]] = {}
    for one in readings:
        if not one.verdict:
            raise DataError(f"part {one.part} has no verdict", where=one.measurement, allowed="column verdict")
        passed.setdefault(one.part, []).append(one.verdict == PASSED)
    found = agreement(truths, passed)
    grade = (
        "only one class of parts, so no kappa"
        if found.kappa is None
        else "good"
        if found.kappa > GOOD_KAPPA
        else "poor"
        if found.kappa < FAIR_KAPPA
        else "middling"
    )
    kappa = "" if found.kappa is None else f"kappa {found.kappa:.2f}: "
    said = f"{kappa}{grade}; misses {_rate(found.miss)}, false alarms {_rate(found.false_alarm)}"
    figures: dict[str, float | int | str] = {"parts": found.consistent.cases, "kappa": or_blank(found.kappa)}
    rows = [("", "cases", "of", "share", "95% from", "95% to")]
    for title, rate in (
        ("parts with one verdict always", found.consistent),
        ("parts judged right always", found.effective),
        ("bad parts passed (miss)", found.miss),
        ("good parts rejected (false alarm)", found.false_alarm),
    ):
        figures |= {
            title: rate.hits,
            f"{title}: of": rate.cases,
            f"{title}: 95% from": rate.low,
            f"{title}: 95% to": rate.high,
        }
        share = "" if rate.share is None else f"{rate.share:.2%}"
        rows.append((title, str(rate.hits), str(rate.cases), share, f"{rate.low:.2%}", f"{rate.high:.2%}"))
    is_good = found.kappa is not None and found.kappa > GOOD_KAPPA
    return Study(readings[0].measurement, "attribute agreement", said, is_good, figures, {"Agreement": rows})


def truths_of(readings: Sequence[Reading]) -> dict[str, bool]:
    """Which parts are good, from a file of part and verdict. Raises DataError where a verdict is neither OK nor NOT_OK."""
    for one in readings:
        if one.verdict not in (PASSED, REJECTED):
            raise DataError(f"part {one.part} is {one.verdict!r}", where="truth", allowed=f"{PASSED} or {REJECTED}")
    return {one.part: one.verdict == PASSED for one in readings}


def _rate(rate: Rate) -> str:
    return "none asked" if rate.share is None else f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%})"
