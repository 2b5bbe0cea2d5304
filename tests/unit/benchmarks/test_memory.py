import pytest

from benchmarks.memory import FROM, SAMPLES, Memory
from pipeline.status import ProcessReport, StationState, Status
from tests.results import result

RESULT = result()


def status(**megabytes: float) -> Status:
    return Status(
        station="s",
        session=1,
        state=StationState.ContinuousExecution,
        text="",
        version="",
        recipe_id=1,
        product_id="",
        configuration_id="",
        backend="",
        cameras=[],
        processes=[ProcessReport(name, 1, "ready", int(value * 1e6), 0.0) for name, value in megabytes.items()],
        triggers=0,
        open_parts=0,
        results={},
        late_results=0,
        late_frames=0,
        started_time="",
    )


def test_growth_is_that_since_every_buffer_has_been_used() -> None:
    memory = Memory()
    memory.take(status(ledger=1.0))  # while buffers still fill: not compared
    for _ in range(FROM):
        memory.take(RESULT)
    for value in [40.0] * SAMPLES + [60.0] + [43.0, 43.0, 90.0, 43.0, 43.0]:  # a moment's peak is no growth
        memory.take(status(ledger=value, grab=20.0))
    rows = {name: (first, last, growth) for name, first, last, growth in memory.rows()}
    assert rows["ledger"] == pytest.approx((40.0, 43.0, 3.0))
    assert rows["grab"] == pytest.approx((20.0, 20.0, 0.0))
    assert memory.frames == FROM


def test_nothing_is_said_of_a_run_that_was_too_short() -> None:
    memory = Memory()
    memory.take(RESULT)
    memory.take(status(ledger=1.0))
    assert memory.rows() == []
