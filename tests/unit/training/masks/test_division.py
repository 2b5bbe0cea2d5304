from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from training.masks.division import divide, folds
from training.masks.sample import Mask, MaskedImage, MaskedSet


def _mask(hw: tuple[int, int]) -> Mask:
    return np.zeros(hw, np.bool_)


def a_set(kinds: dict[str, int], each: int) -> MaskedSet:
    """As many groups of each kind, ``each`` images in every one."""
    names = [
        (f"{kind}{group}-{index}", kind, f"{kind}{group}")
        for kind, count in kinds.items()
        for group in range(count)
        for index in range(each)
    ]
    return MaskedSet([MaskedImage(name, Path(name), _mask, kind, group) for name, kind, group in names], "set")


def test_groups_stay_together_and_kinds_are_on_every_side() -> None:
    images = a_set({"crack": 10, "dent": 20, "": 30}, each=3)
    sides = folds(images, 5, seed=1)
    assert sorted(np.concatenate(sides).tolist()) == list(range(len(images)))
    for side in sides:
        assert Counter(images.kinds[index] for index in side) == {"crack": 6, "dent": 12, "": 18}
    assert not {images.groups[index] for index in sides[0]} & {images.groups[index] for index in sides[1]}


def test_shares_are_kept_for_every_kind() -> None:
    images = a_set({"crack": 20, "": 60}, each=2)
    train, calibration, validation = divide(images, [0.7, 0.2, 0.1], seed=0)
    assert Counter(images.kinds[index] for index in train) == {"crack": 28, "": 84}
    assert Counter(images.kinds[index] for index in calibration) == {"crack": 8, "": 24}
    assert Counter(images.kinds[index] for index in validation) == {"crack": 4, "": 12}


def test_another_seed_divides_otherwise_and_the_same_seed_alike() -> None:
    images = a_set({"crack": 12, "": 12}, each=2)
    first, again, other = (divide(images, [0.5, 0.5], seed=seed)[0].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_images_by_themselves_tear_groups_apart() -> None:
    images = a_set({"crack": 6, "": 6}, each=6)
    train, test = divide(images, [0.8, 0.2], seed=0, by_group=False)
    assert {images.groups[index] for index in train} & {images.groups[index] for index in test}
    assert len(test) == pytest.approx(0.2 * len(images), abs=2)


def test_a_side_that_would_be_empty_is_refused() -> None:
    with pytest.raises(DataError, match="6 images in 2 groups cannot be divided into 3"):
        divide(a_set({"crack": 2}, each=3), [1, 1, 1], seed=0)


def test_images_with_several_kinds_count_for_each_of_them() -> None:
    images = a_set({"": 40, "burr": 10, "dent": 10, "burr+dent": 5, "burr+dent+scratch": 3, "scratch": 9}, each=1)
    for side in divide(images, [0.5, 0.25, 0.25], seed=3):
        shown = Counter(kind for index in side for kind in images.kinds[index].split("+"))
        share = len(side) / len(images)
        assert share == pytest.approx(0.5 if share > 0.4 else 0.25, abs=0.03)
        for kind, count in {"": 40, "burr": 18, "dent": 18, "scratch": 12}.items():
            assert shown[kind] == pytest.approx(share * count, abs=2.1)
