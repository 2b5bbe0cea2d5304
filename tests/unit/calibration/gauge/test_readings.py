"""What is in a study's file survives a kill, and what is wrong with it is told by its line."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from calibration.gauge.readings import Reading, ReadingsFile, crossed, read
from calibration.gauge.record import Plan, record
from pipeline.errors import DataError
from pipeline.result import Evaluation, Measurement, Result
from tests.results import RESULT


def test_a_study_that_was_killed_within_a_line_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "study.csv"
    file = ReadingsFile(path)
    first = Reading("width", "1", "1", 1, 24.01, "mm", lower=23.9, upper=24.1, verdict="OK", recipe="connector 7")
    file.add([first])
    file.close()
    with path.open("a") as torn:
        torn.write("width,2,1,1,24.")
    assert read(path) == [first]
    file = ReadingsFile(path)
    second = Reading("width", "2", "1", 1, math.inf)
    file.add([second])
    file.close()
    assert read(path) == [first, second]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its first line names nothing"),
        ("a,b\n1,2\n", "its first line names a, b"),
        ("part,value\n1,2\n2,x\n", "csv:3: value is 'x'"),
        ("part,value\n,2\n", "csv:2: has no part"),
    ],
)
def test_what_is_no_study_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told):
        read(path)


def test_a_cell_that_is_missing_is_named() -> None:
    readings = [Reading("width", part, loading, n, 1.0) for part in "12" for loading in "ab" for n in (1, 2)]
    values, parts, loadings = crossed(readings)
    assert (values.shape, parts, loadings) == ((2, 2, 2), ["1", "2"], ["a", "b"])
    with pytest.raises(DataError, match="part 2, loading b has 1 values, others have 2"):
        crossed(readings[:-1])


class Station:
    """Answers each inspection with a width, or with what went wrong."""

    def __init__(self, configuration: str = "c1") -> None:
        self.asked: list[str] = []
        self.configuration = configuration

    def inspect(self, part_id: str) -> Result:
        self.asked.append(part_id)
        width = Measurement("width", 24.0 + len(self.asked) / 100, "mm", 24.0, 23.9, 24.1, Evaluation.OK)
        return replace(RESULT, measurements=[width], part_id=part_id, configuration_id=self.configuration)


def test_what_is_there_is_not_measured_again(tmp_path: Path) -> None:
    said: list[str] = []
    placed: list[str] = []

    def study(station: Station, parts: Sequence[str]) -> list[Reading]:
        file = ReadingsFile(tmp_path / "s.csv")
        try:
            record(Plan(parts, ["1", "2"], 2), file, station.inspect, placed.append, said.append)
        finally:
            file.close()
        return read(tmp_path / "s.csv")

    first = Station()
    assert len(study(first, ["1"])) == 4
    assert placed == ["part 1, loading 1: put it in", "part 1, loading 2: put it in"]
    second = Station()
    readings = study(second, ["1", "2"])
    assert second.asked == [f"gauge-2-{loading}-{repeat}" for loading in (1, 2) for repeat in (1, 2)]
    assert [one.cell for one in readings][:3] == [("1", "1", 1), ("1", "1", 2), ("1", "2", 1)]
    assert crossed(readings)[0].shape == (2, 2, 2)
    with pytest.raises(DataError, match="the study was begun with"):
        study(Station("c2"), ["1", "2", "3"])
