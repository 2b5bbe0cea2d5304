"""Results as lines for people."""

import msgspec
import pytest

from pipeline.result import Defect, DefectMask, Evaluation, Reason, ResultState
from pipeline.result_text import Summary, line, percentile
from tests.results import RESULT, result


def test_a_line_names_trigger_verdict_time_and_reason() -> None:
    assert line(RESULT).split() == [
        "41",
        "NOT_OK",
        "REJECT",
        "9.8",
        "ms",
        "pin_span.high",
        "12.81",
        "mm",
        "(limit",
        "12.78)",
    ]


def test_a_good_part_shows_what_was_measured() -> None:
    assert "pin_span 12.810 mm" in line(result(result_evaluation=Evaluation.OK, reasons=[]))


def test_a_good_part_shows_the_defects_that_are_allowed() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    mask = DefectMask(*box, 1, 1, [0, 1])
    px = [Defect("top", area, box, 0.9, (0.0, 0.0, 0.9), mask) for area in (12.0, 345.6)]
    good = {"result_evaluation": Evaluation.OK, "reasons": []}
    assert line(result(**good, defects=px)).endswith("pin_span 12.810 mm  2 defect(s), the largest 345.6 px2")
    mm = [msgspec.structs.replace(defect, area_mm2=defect.area_px / 100) for defect in px]
    assert line(result(**good, defects=mm)).endswith("2 defect(s), the largest 3.46 mm2")


def test_parts_of_one_frame_are_told_apart() -> None:
    assert line(result(part_index=1, part_count=3)).split()[0] == "41/2"


def test_a_summary_counts_triggers_not_parts() -> None:
    summary = Summary()
    summary.add(result(part_index=0, part_count=2))
    summary.add(result(part_index=1, part_count=2))
    lost = result(result_state=ResultState.FAILED, result_evaluation=Evaluation.UNDEFINED, reasons=[Reason("deadline")])
    summary.add(lost)
    assert (summary.results, summary.triggers) == (3, 2)
    assert summary.losses == {"deadline": 1}
    assert "p50 9.8 ms" in summary.text()


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (99, 4.0), (0, 1.0), (100, 4.0)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


@pytest.mark.parametrize("code", ["a\nb", "\x1b[2J", "\u202e", "\x07", "\ud800"])
def test_what_a_station_sends_commands_no_terminal(code: str) -> None:
    summary = Summary()
    lost = result(result_state=ResultState.FAILED, reasons=[Reason(code, name="é")])
    summary.add(lost)
    text = line(lost)
    assert text.isprintable()
    assert "é.".encode() in text.encode()
    assert all(entry.isprintable() for entry in summary.text().split("\n"))


def test_a_part_id_is_shown() -> None:
    assert line(result(part_id="SN-4")).endswith(" ms  SN-4: pin_span.high 12.81 mm (limit 12.78)")
