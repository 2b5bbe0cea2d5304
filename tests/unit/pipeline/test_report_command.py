"""A report is what the journal holds, counted once more by hand."""

import csv
import io
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline import result as result_schema
from pipeline.cli import main
from pipeline.clock import utc_ns
from pipeline.ledger.journal_rows import Row
from pipeline.result import Disposition, Evaluation, Measurement, Reason, ResultState
from tests.journals import opened
from tests.results import RESULT

SECOND_NS = 1_000_000_000


def widths(value: float, evaluation: Evaluation) -> list[Measurement]:
    return [Measurement("width", value, "mm", 24.0, 23.9, 24.1, evaluation, view="top")]


OK = replace(RESULT, result_evaluation=Evaluation.OK, disposition=Disposition.PASS, reasons=[])
GOOD = [replace(OK, measurements=widths(24.0 + 0.01 * n, Evaluation.OK)) for n in range(6)]
WIDE = replace(RESULT, reasons=[Reason(code="high", name="width")], measurements=widths(24.2, Evaluation.NOT_OK))
LOST = replace(
    RESULT,
    result_state=ResultState.FAILED,
    result_evaluation=Evaluation.UNDEFINED,
    reasons=[Reason(code="overrun")],
    measurements=[],
)
GAUGED = replace(WIDE, purpose="gauge")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six good parts, two that are too wide, one lost, one of a gauge study; two minutes before the last one."""
    now = utc_ns() - 600 * SECOND_NS
    with opened(tmp_path) as journal:
        for n, result in enumerate([*GOOD, WIDE, WIDE, GAUGED, LOST]):
            told = replace(result, session=journal.session, seq=n + 1)
            at = now + n * SECOND_NS + (120 * SECOND_NS if result is LOST else 0)
            payload = result_schema.encode(told)
            assert journal.commit([Row(n + 1, at, told.result_evaluation, n, "", payload)], [], {})
    return tmp_path


def told(folder: Path, tmp_path: Path) -> dict[tuple[str, ...], list[str]]:
    """The report's CSV by table and first cell."""
    file = tmp_path / "report.csv"
    assert main(["report", str(folder), "--since", "1h", "--csv", str(file), "--force"]) == 0
    return {tuple(row[:2]): row[2:] for row in csv.reader(io.StringIO(file.read_text("utf-8-sig")))}


def test_everything_is_counted_once(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(folder, tmp_path)
    assert found["Counts", "production"][0] == "9"
    assert found["Counts", "PASS"] == ["6", "66.67%"]
    assert found["Counts", "NOT_OK"] == ["2", "22.22%"]
    assert found["Counts", "UNDEFINED"] == ["1", "11.11%"]
    assert found["Why parts did not pass", "high"] == ["width", "2", "22.22%"]
    assert found["Why parts did not pass", "overrun"] == ["", "1", "11.11%"]
    assert found["Lost: nothing could be said of the part", "overrun"] == ["1", "11.11%"]
    assert found["Not of production", "gauge"] == ["1"]
    assert found["report", "passed"] == ["66.67% of 9 parts"]
    assert found["report", "without an answer"] == ["121 s in pauses of 60 s or more"]
    measured = found["Measurements", "bracket (1)"]
    assert measured[:4] == ["ab12", "top", "width", "8"]
    assert measured[4:7] == ["24", "24.0687", "24.2"], "those of the gauge study are not in it"
    assert measured[-2:] == ["2", "0"]
    assert "66.67% of 9 parts" in capsys.readouterr().out


def test_a_page_is_written_and_nothing_overwritten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert main(["report", str(folder), "--since", "1h", "--html", str(page)]) == 0
    assert "Why parts did not pass" in page.read_text()
    assert main(["report", str(folder), "--since", "1h", "--html", str(page)]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "when shifts begin stands in the station file"),
        (["--shift", "1", "--since", "1h"], "--shift takes no --since"),
        (["--since", "1h", "--until", "2h"], "is not after --since"),
        (["--since", "2099-01-01"], "--since: 2099-01-01 is yet to come"),
        (["--since", "1h", "--pause", "-3"], "--pause: is -3"),
        (["--since", "1h", "--pause", "nan"], "--pause: is nan"),
    ],
)
def test_what_makes_no_sense_is_told(
    folder: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_span_without_results_is_a_report_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path):
        pass
    assert main(["report", str(tmp_path), "--since", "1h"]) == 0
    assert "passed: -" in capsys.readouterr().out
