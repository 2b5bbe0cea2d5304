from random import Random

import pytest

from pipeline.errors import DatumdError
from simulator.fault import Fault, FaultKind, parse_fault


def test_a_fault_is_read_from_the_command_line() -> None:
    assert parse_fault("drop:device=1:at=12") == Fault(FaultKind.DROP, device=1, at=12)
    assert parse_fault("incomplete:p=0.25") == Fault(FaultKind.INCOMPLETE, probability=0.25)
    assert parse_fault("lose_device:at=3:seconds=0.5") == Fault(FaultKind.LOSE_DEVICE, at=3, seconds=0.5)
    assert parse_fault("power_loss:at=3:seconds=2") == Fault(FaultKind.POWER_LOSS, at=3, seconds=2.0)
    assert parse_fault("last_edge_lost") == Fault(FaultKind.LAST_EDGE_LOST)


@pytest.mark.parametrize("text", ["", "smoke", "drop:at=soon", "drop:when=3", "drop:p=1.5", "drop:p", "drop:p=-0.1"])
def test_nonsense_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(DatumdError, match=r"--fault: .* is no fault; allowed: KIND.*incomplete.*hang"):
        parse_fault(text)


def test_a_planned_fault_strikes_once() -> None:
    fault = Fault(FaultKind.DROP, at=3)
    assert [n for n in range(1, 10) if fault.strikes(n, Random(0), is_last=n == 9)] == [3]


def test_the_last_edge_is_the_last_one() -> None:
    fault = Fault(FaultKind.LAST_EDGE_LOST)
    assert [n for n in range(1, 10) if fault.strikes(n, Random(0), is_last=n == 9)] == [9]


def test_a_fault_by_chance_strikes_as_often_as_it_says_and_the_same_again() -> None:
    fault = Fault(FaultKind.DROP, probability=0.1)

    def struck() -> list[int]:
        random = Random(7)
        return [n for n in range(2000) if fault.strikes(n, random, is_last=False)]

    assert 150 < len(struck()) < 250
    assert struck() == struck()
