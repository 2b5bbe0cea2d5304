"""When networks are run for no part, by a clock that the test holds."""

import logging

import pytest

from pipeline.errors import NetworkError
from pipeline.workers.keep_warm import KeepWarm

MS = 1_000_000


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.ns = 5 * MS

    def now_ns(self) -> int:
        return self.ns


class Networks:
    """Three networks that write down that they run, each of which takes 2 ms; `broken` fail."""

    def __init__(self, clock: Clock) -> None:
        self.ran: list[str] = []
        self.broken: set[str] = set()
        self.runs = [self._run_of(name, clock) for name in ("coarse", "posed", "refine")]

    def _run_of(self, name: str, clock: Clock) -> "Run":
        return Run(self, name, clock)


class Run:
    """One network's."""

    def __init__(self, networks: Networks, name: str, clock: Clock) -> None:
        self._networks, self._name, self._clock = networks, name, clock

    def __call__(self) -> None:
        self._networks.ran.append(self._name)
        self._clock.ns += 2 * MS
        if self._name in self._networks.broken:
            raise NetworkError("the network failed", where=self._name)


def test_networks_are_run_one_a_turn_when_they_were_not_used_for_so_long() -> None:
    clock = Clock()
    networks = Networks(clock)
    warm = KeepWarm(20.0, networks.runs, clock.now_ns)
    assert warm.wait_s(0.03) == 0.02
    clock.ns += 20 * MS - 1
    assert (warm.turn(), networks.ran, warm.wait_s(0.03)) == (False, [], 0.001)
    clock.ns += 1
    turns = []
    for _ in range(3):
        assert warm.wait_s(0.03) == 0.0  # the next network is due at once, but orders are looked for before
        turns.append((warm.turn(), list(networks.ran)))
    assert turns == [
        (False, ["coarse"]),
        (False, ["coarse", "posed"]),
        (True, ["coarse", "posed", "refine"]),
    ]
    assert warm.wait_s(0.03) == 0.02  # from the end of the last run
    assert (warm.turn(), len(networks.ran)) == (False, 3)
    clock.ns += 20 * MS
    assert (warm.turn(), networks.ran[3:]) == (False, ["coarse"])


def test_a_frame_puts_it_off_and_its_recipe_is_the_one_kept_warm() -> None:
    clock = Clock()
    before, after = Networks(clock), Networks(clock)
    warm = KeepWarm(20.0, before.runs, clock.now_ns)
    clock.ns += 20 * MS
    warm.turn()
    warm.used(after.runs)
    assert (warm.wait_s(0.03), warm.turn(), before.ran, after.ran) == (0.02, False, ["coarse"], [])
    clock.ns += 20 * MS
    assert [warm.turn() for _ in range(3)] == [False, False, True]
    assert (before.ran, after.ran) == (["coarse"], ["coarse", "posed", "refine"])


@pytest.mark.parametrize("every_ms", [0.0, 20.0])
def test_nothing_is_run_where_nothing_is_to_be_kept_warm(every_ms: float) -> None:
    clock = Clock()
    networks = Networks(clock)
    warm = KeepWarm(every_ms, [] if every_ms else networks.runs, clock.now_ns)
    clock.ns += 3600_000 * MS
    assert (warm.turn(), networks.ran, warm.wait_s(0.03)) == (False, [], 0.03)


def test_a_network_that_fails_is_told_once_and_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    networks = Networks(clock)
    networks.broken = {"posed"}
    warm = KeepWarm(20.0, networks.runs, clock.now_ns)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            clock.ns += 20 * MS
            assert [warm.turn(), warm.turn(), warm.turn()] == [False, False, False]
    assert networks.ran == ["coarse", "posed"] * 5  # the rest waits for its time: a failure is no reason to hurry
    assert [record.message for record in caplog.records] == ["cannot keep the networks warm: posed: the network failed"]
    networks.broken.clear()
    clock.ns += 20 * MS
    assert [warm.turn() for _ in range(3)] == [False, False, True]
