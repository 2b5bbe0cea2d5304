import json
from pathlib import Path

import pytest

from pipeline.errors import DatumdError
from simulator.content import PatternContent, RenderedContent
from simulator.fault import Fault, FaultKind
from simulator.line import Line
from simulator.line_log import read_log
from simulator.render import frame_seed


def small(pictures: int = 4) -> PatternContent:
    return PatternContent(width=16, height=8, pictures=pictures)


def test_the_log_has_every_edge_and_says_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Line(tmp_path / "state", small(), devices=2, log_path=log) as line:
        edges = [line.edge() for _ in range(3)]
        assert read_log(log).triggers is None
        line.finish()
    written = read_log(log)
    assert written.triggers == 3
    assert written.edges == tuple(edges)
    assert [edge.part_id for edge in edges] == ["part-000001", "part-000002", "part-000003"]
    assert edges[2].counters == {"SIM-0": 3, "SIM-1": 3}
    record = json.loads(log.read_text().splitlines()[1])
    assert record["utc"].endswith("Z")
    assert record["picture"] == 1


def test_an_extra_edge_counts_but_belongs_to_no_part(tmp_path: Path) -> None:
    log = tmp_path / "log"
    plan = [Fault(FaultKind.EXTRA_EDGE, at=2)]
    with Line(tmp_path / "state", small(), log_path=log, faults=plan) as line:
        for _ in range(3):
            line.edge()
        line.extra_edge()
        line.finish()
        assert (line.parts, line.triggers) == (3, 5)
    parts = [edge.part_id for edge in read_log(log).edges]
    assert parts == ["part-000001", "part-000002", None, "part-000003", None]
    assert [edge.trigger_number for edge in read_log(log).edges] == [1, 2, 3, 4, 5]


def test_faults_of_one_camera_spare_the_others_and_come_again_with_the_seed(tmp_path: Path) -> None:
    def run(seed: int) -> list[dict[str, list[int]]]:
        plan = [Fault(FaultKind.DROP, device=1, probability=0.3), Fault(FaultKind.INCOMPLETE, at=5)]
        with Line(tmp_path / "state", small(), devices=3, faults=plan, seed=seed) as line:
            return [line.edge().faults for _ in range(40)]

    assert run(1) == run(1) != run(2)
    assert all(faults.get("drop", [1]) == [1] for faults in run(1))
    assert run(1)[4]["incomplete"] == [0, 1, 2]


def test_losses_and_hangs_stand_in_the_log_between_the_edges(tmp_path: Path) -> None:
    log = tmp_path / "log"
    plan = [Fault(FaultKind.LOSE_DEVICE, device=0, at=2, seconds=0.5)]
    with Line(tmp_path / "state", small(), log_path=log, faults=plan) as line:
        line.edge()
        line.edge()
        line.hang(0, 0.25)
    events = [record for text in log.read_text().splitlines() if "event" in (record := json.loads(text))]
    said = [(event["event"], event["device"], event["seconds"]) for event in events]
    assert said == [("lose_device", "SIM-0", 0.5), ("hang", "SIM-0", 0.25)]
    assert len(read_log(log).edges) == 2


def test_the_log_has_what_the_counters_read_where_they_start_apart_or_begin_again(tmp_path: Path) -> None:
    plan = [Fault(FaultKind.POWER_LOSS, device=1, at=3, seconds=0.0), Fault(FaultKind.CORRUPT_NUMBER, at=2)]
    log = tmp_path / "log"
    with Line(tmp_path / "state", small(), devices=2, log_path=log, faults=plan, counters=[0, 50]) as line:
        for _ in range(4):
            line.edge()
        line.lose(0, 0.5, FaultKind.WRONG_SIZE)
    counters = [edge.counters for edge in read_log(log).edges]
    assert counters == [{"SIM-0": n, "SIM-1": m} for n, m in ((1, 51), (2, 52), (3, 1), (4, 2))]
    events = [record["event"] for text in log.read_text().splitlines() if "event" in (record := json.loads(text))]
    assert events == ["power_loss", "wrong_size"]


def test_rendered_parts_are_logged_with_the_seed_that_shows_them_again(tmp_path: Path) -> None:
    with Line(tmp_path / "state", RenderedContent(seed=9, pictures=2)) as line:
        assert [line.edge().seed for _ in range(3)] == [frame_seed(9, 0), frame_seed(9, 1), frame_seed(9, 0)]


def test_a_log_that_cannot_be_written_or_read_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(DatumdError, match=r"absent/log: cannot write the line's log: No such file"):
        Line(tmp_path / "state", small(), log_path=tmp_path / "absent" / "log")
    with pytest.raises(DatumdError, match="cannot read the line's log"):
        read_log(tmp_path / "absent")
    (tmp_path / "other").write_text('{"some": "thing"}\n')
    with pytest.raises(DatumdError, match="line 1 is none of a line's log"):
        read_log(tmp_path / "other")


def test_a_line_that_was_killed_while_writing_leaves_a_readable_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Line(tmp_path / "state", small(), log_path=log) as line:
        line.edge()
        line.edge()
    log.write_text(log.read_text()[:-20])
    assert [edge.trigger_number for edge in read_log(log).edges] == [1]
