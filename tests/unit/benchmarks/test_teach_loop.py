from pathlib import Path

import numpy as np

from benchmarks.teach_loop import compared
from training.data import HIDDEN, MISSING, VISIBLE, Dataset, Part


def part(name: str, xy: list[tuple[float, float]], state: list[int]) -> Part:
    return Part(Path(name), (100, 100), np.array(xy, np.float64), np.array(state, np.int8), (0.0, 0.0, 50.0, 50.0), 1)


def test_labels_are_compared_where_both_call_a_keypoint_visible() -> None:
    true = [part("a", [(10, 10), (20, 20)], [VISIBLE, VISIBLE]), part("b", [(5, 5), (30, 30)], [VISIBLE, MISSING])]
    told = [part("b", [(5, 9), (31, 30)], [VISIBLE, VISIBLE]), part("a", [(13, 14), (90, 90)], [VISIBLE, HIDDEN])]
    names = ("hole", "tip")
    found = compared("matching", Dataset(names, tuple(told)), Dataset(names, tuple(true)))
    assert (found.labels, found.photos, found.label_median_px) == ("matching", 2, 4.5)  # of 5 and 4 px
    assert found.taken_for_visible == round(1 / 3, 4)
    assert found.median_px is None
