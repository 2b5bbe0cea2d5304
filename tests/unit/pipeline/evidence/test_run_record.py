"""What ran is written down once for each change, and found again by the time of a result."""

from pathlib import Path

import msgspec
import pytest

from pipeline.config import InferSettings
from pipeline.evidence import run_record
from pipeline.evidence.run_record import RunRecipe, RunRecord, append_run, read_runs, run_of, this_machine
from pipeline.result import Evaluation

RECORD = RunRecord(
    format=1,
    began_utc_ns=10,
    worker="infer.0",
    station="L3",
    infer=InferSettings(),
    passing=[Evaluation.OK],
    machine=this_machine(),
    recipes=[RunRecipe(1, "part", "00112233aabbccdd", "onnxruntime 1")],
)


def at(began_ns: int, runs_on: str) -> RunRecord:
    recipes = [msgspec.structs.replace(RECORD.recipes[0], runs_on=runs_on)]
    return msgspec.structs.replace(RECORD, began_utc_ns=began_ns, recipes=recipes)


def test_a_start_like_the_last_one_is_not_written_again(tmp_path: Path) -> None:
    for record in (at(10, "one"), at(20, "one"), at(30, "two"), at(40, "one")):
        append_run(tmp_path, record)
    assert [run.began_utc_ns for run in read_runs(tmp_path)] == [10, 30, 40]


@pytest.mark.parametrize(("utc_ns", "runs_on"), [(9, None), (10, "one"), (29, "one"), (30, "two"), (2**62, "two")])
def test_a_result_is_of_the_newest_start_before_it(utc_ns: int, runs_on: str | None) -> None:
    found = run_of([at(10, "one"), at(30, "two")], "00112233aabbccdd", utc_ns)
    assert (found and found[1].runs_on) == runs_on
    assert run_of([at(10, "one")], "ffffffffffffffff", utc_ns) is None


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    append_run(tmp_path, at(10, "one"))
    path = tmp_path / run_record.FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])  # the power failed
    append_run(tmp_path, at(20, "two"))
    assert [run.began_utc_ns for run in read_runs(tmp_path)] == [10, 20]


def test_a_file_that_is_full_is_replaced_whole_by_its_newer_half(tmp_path: Path) -> None:
    line = len(msgspec.json.encode(at(100, "number 0"))) + 1
    kept = []
    for number in range(9):
        append_run(tmp_path, at(100 + number, f"number {number}"), largest_bytes=4 * line)
        kept.append([run.began_utc_ns for run in read_runs(tmp_path)])
    assert kept[3:6] == [[100, 101, 102, 103], [102, 103, 104], [102, 103, 104, 105]]
    assert kept[-1][-1] == 108
    assert [path.name for path in tmp_path.iterdir()] == [run_record.FILE_NAME]


def test_a_full_disk_costs_none_of_the_records(tmp_path: Path) -> None:
    for number in range(4):
        append_run(tmp_path, at(number, f"number {number}"))
    (tmp_path / f".{run_record.FILE_NAME}.new").mkdir()  # nothing can be written there
    with pytest.raises(OSError, match="Is a directory"):
        append_run(tmp_path, at(9, "new"), largest_bytes=1)
    assert [run.began_utc_ns for run in read_runs(tmp_path)] == [0, 1, 2, 3]
