"""`datumd export`: what was published comes out again, and what is gone is told."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from pipeline import result as result_schema
from pipeline.cli import main
from pipeline.clock import iso_utc, utc_ns
from pipeline.commands.export_time import utc_ns_of
from pipeline.errors import ConfigError
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import Row
from pipeline.result import Defect, DefectMask, Evaluation, Measurement, Result
from tests.journals import DAY_NS, RING
from tests.results import result

SECOND_NS = 1_000_000_000
NOON = 1_772_366_400 * SECOND_NS  # 2026-03-01T12:00:00Z


def measured(name: str, value: float | None, view: str = "") -> Measurement:
    return Measurement(name, value, "mm", 1.0, 0.9, 1.1, Evaluation.OK, view)


def write_journal(folder: Path, results: list[Result], keep_days: float = 100_000.0) -> Journal:
    """A journal with these results, one a second from noon on."""
    journal = Journal.open(folder, RING, 0, lambda _: keep_days)
    for seq, one in enumerate(results, 1):
        payload = result_schema.encode(one)
        stamp = NOON + seq * SECOND_NS
        assert journal.commit([Row(seq, stamp, one.result_evaluation, None, one.part_id, payload)], [], {})
    return journal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Six results; the third is OK."""
    results = [result(seq=seq, answered_time=iso_utc(NOON + seq * SECOND_NS), part_id=f"A{seq}") for seq in range(1, 7)]
    results[2] = result(
        seq=3,
        answered_time=iso_utc(NOON + 3 * SECOND_NS),
        result_evaluation=Evaluation.OK,
        reasons=[],
        measurements=[measured("gap", -0.5), measured("span", None)],
    )
    write_journal(tmp_path / "state", results).close()
    return tmp_path / "state"


def lines_of(output: str) -> list[int]:
    return [json.loads(line)["seq"] for line in output.splitlines()]


def test_json_lines_are_the_published_bytes(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["export", str(state)]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert lines[0] == result_schema.encode(result(seq=1, answered_time=iso_utc(NOON + SECOND_NS), part_id="A1"))
    assert [result_schema.decode(line).seq for line in lines] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since", "2026-03-01T12:00:03Z"], [3, 4, 5, 6]),
        (["--since", "2026-03-01T13:00:03+01:00", "--until", "2026-03-01T12:00:05Z"], [3, 4]),
        (["--since", "2026-03-01", "--until", "2026-03-02"], [1, 2, 3, 4, 5, 6]),
        (["--since", "2026-03-02"], []),
        (["--until", "2026-03-01T12:00:02.5Z"], [1, 2]),
        (["--evaluation", "OK"], [3]),
        (["--evaluation", "OK", "NOT_OK", "--since", "2026-03-01T12:00:02Z"], [2, 3, 4, 5, 6]),
        (["--evaluation", "NOT_DECIDABLE"], []),
    ],
)
def test_a_span_of_time_and_evaluations(
    state: Path, capfd: pytest.CaptureFixture[str], options: list[str], expected: list[int]
) -> None:
    assert main(["export", str(state), *options]) == 0
    told = capfd.readouterr()
    assert lines_of(told.out) == expected
    assert told.err == ""


def test_a_span_back_from_now(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal.open(tmp_path, RING, 0, lambda _: 100.0)
    now = utc_ns()
    for seq, age_s in enumerate((7200, 3000, 10), 1):
        payload = result_schema.encode(result(seq=seq))
        journal.commit([Row(seq, now - age_s * SECOND_NS, Evaluation.OK, 1, "", payload)], [], {})
    assert main(["export", str(tmp_path), "--since", "1h"]) == 0  # while it is being written
    assert lines_of(capfd.readouterr().out) == [2, 3]
    journal.close()


def test_csv_has_a_column_for_each_measurement(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(state), "--format", "csv", "--until", "2026-03-01T12:00:04Z"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert list(rows[0]) == [
        *("time", "session", "seq", "trigger_number", "part_id", "product_id", "recipe_id", "result_evaluation"),
        *("disposition", "reasons", "pin_span", "gap", "span"),
    ]
    assert [row["pin_span"] for row in rows] == ["12.81", "12.81", ""]
    assert (rows[2]["gap"], rows[2]["span"]) == ("-0.5", "")
    assert rows[0]["time"] == "2026-03-01T12:00:01.000000Z"
    assert rows[0]["reasons"] == "pin_span.high 12.81 mm (limit 12.78)"
    assert (rows[0]["seq"], rows[0]["trigger_number"], rows[0]["part_id"]) == ("1", "41", "A1")


def test_measurements_of_one_name_in_two_views_have_a_column_each(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    two = [measured("gap", 1.0, "top"), measured("gap", 2.0, "side")]
    write_journal(tmp_path, [result(measurements=two)]).close()
    assert main(["export", str(tmp_path), "--format", "csv"]) == 0
    row = next(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert (row["gap (top)"], row["gap (side)"]) == ("1.0", "2.0")


def test_csv_has_columns_for_defects_where_they_were_looked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    defects = [
        Defect("top", area, box, 0.9, (0.0, 0.0, 0.9), DefectMask(*box, 1, 1, [0, 1]), area_mm2=area / 100)
        for area in (40.0, 50.0)
    ]
    looked = {"stages_ns": {"segment": 5}}
    results = [result(seq=1, **looked), result(seq=2, defects=defects, **looked), result(seq=3)]
    write_journal(tmp_path, results).close()
    assert main(["export", str(tmp_path), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert list(rows[0])[-3:] == ["defects", "largest_defect_mm2", "largest_defect_px2"]
    assert [(row["defects"], row["largest_defect_mm2"], row["largest_defect_px2"]) for row in rows] == [
        ("0", "", ""),
        ("2", "0.5", "50.0"),
        ("", "", ""),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx", '"=1'])
def test_no_text_is_a_formula(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], text: str) -> None:
    write_journal(tmp_path, [result(product_id=text, measurements=[measured(text, -1.0)])]).close()
    assert main(["export", str(tmp_path), "--format", "csv"]) == 0
    written = capfdbinary.readouterr().out.decode()
    header, row = csv.reader(io.StringIO(written, newline=""))
    expected = text if text.startswith('"') else f"'{text}".replace("\r", " ")
    assert (header[10], row[5], row[10]) == (expected, expected, "-1.0")


def test_what_is_gone_is_told_on_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = [
        result(seq=seq, result_evaluation=Evaluation.NOT_OK if seq % 3 else Evaluation.OK) for seq in range(1, 91)
    ]
    days = {Evaluation.OK: 1.0}
    journal = write_journal(tmp_path, results)
    journal.close()
    journal = Journal.open(tmp_path, RING, 0, lambda evaluation: days.get(evaluation, 1000.0))
    first = journal.session
    assert journal.prune(NOON + 2 * DAY_NS, 1000) == 30
    journal.close()
    assert main(["export", str(tmp_path)]) == 0
    told = capfd.readouterr()
    assert len(told.out.splitlines()) == 60
    lines = told.err.splitlines()
    assert lines[0] == f"datumd: gap: result 3 of session {first - 1}"
    assert len(lines) == 21
    assert lines[-1] == "datumd: and more gaps, 30 in all: 30 results are gone"


def test_the_audit_trail(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal.open(tmp_path, RING, 0, lambda _: 1.0)
    journal.audit(NOON, "plc", "recipe", "1", "2")
    journal.audit(NOON + DAY_NS, "=tablet", "running", "yes", "no")
    journal.close()
    assert main(["export", str(tmp_path), "--audit", "--until", "2026-03-02"]) == 0
    assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == [
        {"time": "2026-03-01T12:00:00.000000Z", "peer": "plc", "what": "recipe", "before": "1", "after": "2"}
    ]
    assert main(["export", str(tmp_path), "--audit", "--format", "csv", "--since", "2026-03-02"]) == 0
    assert capfd.readouterr().out.splitlines()[1] == "2026-03-02T12:00:00.000000Z,'=tablet,running,yes,no"


def test_a_file_is_written_whole_and_not_over_another(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = state.parent / "out.jsonl"
    assert main(["export", str(state), "-o", str(output)]) == 0
    assert lines_of(output.read_text()) == [1, 2, 3, 4, 5, 6]
    output.write_text("mine")
    assert main(["export", str(state), "-o", str(output)]) == 2
    assert "is there already; next: add --force" in capfd.readouterr().err
    assert output.read_text() == "mine"
    assert main(["export", str(state), "-o", str(output), "--force", "--evaluation", "OK"]) == 0
    assert lines_of(output.read_text()) == [3]
    assert sorted(path.name for path in state.parent.iterdir()) == ["out.jsonl", "state"]


def test_nothing_is_left_of_a_file_that_could_not_be_finished(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = Journal.open(tmp_path / "state", RING, 0, lambda _: 1.0)
    journal.commit([Row(1, NOON, Evaluation.OK, 1, "", b"no result")], [], {})
    journal.close()
    output = tmp_path / "out.csv"
    assert main(["export", str(tmp_path / "state"), "-o", str(output), "--format", "csv"]) == 2
    assert "is no result of this version" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_the_journal_of_a_station_file(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    station = state.parent / "station.toml"
    station.write_text(
        'format = 1\nstation = "s"\nrecipes = "recipes"\n[archive]\nfolder = "state"\n'
        '[camera.top]\ntype = "folder"\npath = "top"\n'
    )
    assert main(["export", str(station)]) == 0
    assert lines_of(capfd.readouterr().out) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.toml"], "nowhere.toml"),
        (["EMPTY"], "there is no journal here"),
        (["STATE", "--since", "yesterday"], "--since: 'yesterday' is no time; allowed: 2026-03-01"),
        (["STATE", "--since", "2026-02-30"], "is no time"),
        (["STATE", "--since", "2026-03-02", "--until", "2026-03-01"], "is not after --since"),
        (["STATE", "-o", "EMPTY/none/out"], "there is no such folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    state: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    (state.parent / "empty").mkdir()
    named = [text.replace("STATE", str(state)).replace("EMPTY", str(state.parent / "empty")) for text in arguments]
    assert main(["export", *named]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert expected in told.err
    assert len(told.err.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    write_journal(tmp_path, [result(seq=seq) for seq in range(1, 400)]).close()
    command = f"{sys.executable} -m pipeline export {tmp_path} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert lines_of(done.stdout) == [1]
    assert done.stderr == ""


@given(st.text(max_size=30) | st.from_regex(r"[0-9TZ:.+\-mhdws]{1,30}", fullmatch=True))
def test_any_text_is_a_time_of_the_journal_or_refused(text: str) -> None:
    try:
        assert 0 <= utc_ns_of(text, "--since", NOON) <= 2**63 - 1
    except ConfigError:
        event("refused")
