"""The wire to the gate: one pulse a part that passes, in time, and none for anything else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.workers.pass_wire import PassWire
from pipeline.workers.repeated_log import RepeatedLog

PULSE = 10


class Played:
    """A wire, its levels, and what was said."""

    def __init__(self) -> None:
        self.levels: list[bool] = []
        self.said: list[str] = []
        self.wire = PassWire(self.levels.append, PULSE, RepeatedLog(self.said.append, lambda: 0))


def test_a_part_that_passes_is_one_pulse() -> None:
    played = Played()
    played.wire.show(100, 0)
    assert played.levels == [True]
    assert played.wire.left_s(4, 1.0) == 6e-9
    played.wire.tick(PULSE - 1)
    assert played.levels == [True]
    played.wire.tick(PULSE)
    played.wire.tick(PULSE + 1)
    assert played.levels == [True, False]
    assert played.wire.left_s(PULSE + 1, 1.0) == 1.0


def test_a_part_whose_deadline_is_over_has_none() -> None:
    played = Played()
    played.wire.show(5, 6)
    assert played.levels == []
    assert "deadline" in played.said[0]


def test_a_part_within_the_pulse_of_another_has_none() -> None:
    played = Played()
    played.wire.show(100, 0)
    played.wire.show(100, PULSE - 1)
    assert played.levels == [True]
    assert "during the pulse" in played.said[0]
    played.wire.show(100, PULSE)
    assert played.levels == [True, False, True]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 15), st.none() | st.integers(0, 60)), max_size=40))
def test_there_are_never_more_edges_than_parts_in_time(steps: list[tuple[int, int | None]]) -> None:
    played = Played()
    now = in_time = 0
    for step, until in steps:
        now += step
        if until is None:
            played.wire.tick(now)
        else:
            in_time += now <= until
            played.wire.show(until, now)
    assert played.levels == [place % 2 == 0 for place in range(len(played.levels))]
    assert sum(played.levels) <= in_time
