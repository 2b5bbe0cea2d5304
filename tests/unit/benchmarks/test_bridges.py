"""What the benchmark of bridges makes of the played PLC's words, and of rounds."""

import pytest

from benchmarks.bridges.chaos import Chaos, read_words
from benchmarks.bridges.share import Load, With, rate_ratio

WORDS = """parts      601
  passed                           273
  rejected: connection lost        76
  fault played: early-trigger      20
disagree   1
  part SIM1-7 passed without its own OK
"""


def test_parts_that_passed_without_their_own_ok_are_counted() -> None:
    assert read_words(WORDS, 63) == Chaos(601, 273, 63, 1)


def test_a_played_plc_that_was_cut_short_proves_nothing() -> None:
    with pytest.raises(RuntimeError):
        read_words("", 3)


def test_a_machine_whose_speed_wanders_is_no_share_of_the_bridges() -> None:
    loads = {With.none: Load({80.0: [60.0, 30.0, 50.0]}), With.all: Load({80.0: [59.0, 30.0, 49.0]})}
    assert rate_ratio(loads, 80.0) == pytest.approx(59.0 / 60.0)
