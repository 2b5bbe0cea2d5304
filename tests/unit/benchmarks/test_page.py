import subprocess
import sys

import pytest

from benchmarks.others import TICKS, all_ticks, own_ticks
from benchmarks.page import Slice, by_chance, p99_ratio, rate_ratio, undisturbed


def test_ratios_are_of_all_slices_together_and_chance_is_what_moves_between_them() -> None:
    without, watched = Slice(2.0, [float(took) for took in range(1, 101)]), Slice(4.0, [2.0] * 100)
    assert rate_ratio([(without, watched)]) == 0.5
    assert p99_ratio([(without, without), (without, watched)]) == pytest.approx(98.0 / 99.0)
    assert by_chance([(without, watched)] * 4, rate_ratio) == 0.0
    assert by_chance([(without, watched), (without, without)] * 2, rate_ratio) > 0.05


def test_slices_in_which_others_worked_are_left_out_but_where_nothing_would_be_left() -> None:
    alone, beside = Slice(1.0, [1.0]), Slice(1.0, [9.0], others=0.4)
    assert list(undisturbed([(alone, alone), (beside, alone), (alone, beside), (alone, alone)])) == [(alone, alone)] * 2
    assert len(undisturbed([(alone, alone), (beside, alone)])) == 2


def test_work_of_ones_own_children_is_ones_own_also_when_they_have_ended() -> None:
    own, of_all = own_ticks(), all_ticks()
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert own_ticks() - own >= 0.25 * TICKS
    assert all_ticks() - of_all >= 0.25 * TICKS
