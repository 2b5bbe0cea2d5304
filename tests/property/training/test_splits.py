"""Whatever the groups are, no side of a split and no fold shares one with another."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.data import VISIBLE, Dataset, Part
from training.splits import folds, split


def dataset(parts_of_image: list[int]) -> Dataset:
    parts, state = [], np.array([VISIBLE], np.int8)
    for image, count in enumerate(parts_of_image):
        for _ in range(count):
            parts.append(Part(Path(f"{image:03d}.png"), (64, 48), np.zeros((1, 2)), state, (0, 0, 9, 9), len(parts)))
    return Dataset(("a",), tuple(parts))


@st.composite
def grouped(draw: st.DrawFn) -> tuple[Dataset, NDArray[np.int64]]:
    counts = draw(st.lists(st.integers(1, 3), min_size=6, max_size=40))
    ids = draw(st.lists(st.integers(0, len(counts)), min_size=len(counts), max_size=len(counts)))
    ids[:6] = [100, 101, 102, 103, 104, 105]  # enough of them to divide
    return dataset(counts), np.array(ids)


def groups_in(data: Dataset, groups: NDArray[np.int64], parts: NDArray[np.int64]) -> set[int]:
    number = {image: index for index, image in enumerate(data.images)}
    return {int(groups[number[data.parts[index].image]]) for index in parts}


@given(grouped(), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 99))
def test_sides_share_no_group_and_lose_no_part(
    case: tuple[Dataset, NDArray[np.int64]], calibration: float, validation: float, seed: int
) -> None:
    data, groups = case
    try:
        found = split(data, calibration=calibration, validation=validation, seed=seed, groups=groups)
    except DataError:
        wanted = sum(max(1, round(share * len(groups))) for share in (calibration, validation))
        assert len(groups) < wanted + 1
        return
    sides = [found.train, found.calibration, found.validation]
    assert all(len(side) for side in sides)
    assert sorted(np.concatenate(sides).tolist()) == list(range(len(data.parts)))
    of_side = [groups_in(data, groups, side) for side in sides]
    assert not (of_side[0] & of_side[1] | of_side[0] & of_side[2] | of_side[1] & of_side[2])


@given(grouped(), st.integers(2, 6), st.integers(0, 99))
def test_folds_share_no_group_and_are_balanced(case: tuple[Dataset, NDArray[np.int64]], count: int, seed: int) -> None:
    data, groups = case
    found = folds(data, count=count, seed=seed, groups=groups)
    assert len(found) == count
    assert sorted(np.concatenate(found).tolist()) == list(range(len(data.parts)))
    seen = [groups_in(data, groups, fold) for fold in found]
    assert sum(map(len, seen)) == len(set(groups.tolist()))
    sizes = [len(fold) for fold in found]
    heaviest = max(sum(groups_in_parts(data, groups, group)) for group in set(groups.tolist()))
    assert max(sizes) - min(sizes) <= heaviest


def groups_in_parts(data: Dataset, groups: NDArray[np.int64], group: int) -> list[int]:
    number = {image: index for index, image in enumerate(data.images)}
    return [1 for part in data.parts if groups[number[part.image]] == group]


def test_more_folds_than_different_images_are_refused() -> None:
    with pytest.raises(DataError, match="4 folds of 3 different images; allowed: 2 to 3"):
        folds(dataset([1] * 6), count=4, seed=0, groups=np.array([0, 0, 1, 1, 2, 2]))
