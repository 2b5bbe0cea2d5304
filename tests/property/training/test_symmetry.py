import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from training.symmetry import flip_order, flipped, pairs_of

NAMES = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "tail"]
places = st.integers(-(2**44), 2**44).map(lambda number: number * 2.0**-32)  # ± 4096 px
seeds = st.integers(0, 2**32 - 1)


@st.composite
def pairings(draw: st.DrawFn) -> list[tuple[str, str]]:
    names = draw(st.permutations(NAMES))
    count = draw(st.integers(0, len(NAMES) // 2))
    return [(names[2 * k], names[2 * k + 1]) for k in range(count)]


@given(pairings(), st.lists(st.tuples(places, places), min_size=6, max_size=6), st.integers(1, 8192), seeds)
def test_flipping_twice_is_the_identity(
    pairs: list[tuple[str, str]], points: list[tuple[float, float]], width: int, seed: int
) -> None:
    order = flip_order(NAMES, pairs)
    xy, state = np.array(points), np.random.default_rng(seed).integers(0, 3, 6).astype(np.int8)
    xy[seed % 6] = np.nan
    once = flipped(xy, state, order, width)
    twice = flipped(*once, order, width)
    assert np.array_equal(twice[0], xy, equal_nan=True)
    assert np.array_equal(twice[1], state)
    assert once[1].tolist() == [state[k] for k in order]


@given(st.floats(0, 4096), st.integers(1, 4097))
def test_any_position_comes_back_to_the_last_bit(x: float, width: int) -> None:
    order, state = flip_order(["a"], []), np.array([2], np.int8)
    back = flipped(flipped(np.array([[x, 0.0]]), state, order, width)[0], state, order, width)[0][0, 0]
    assert back == pytest.approx(x, abs=float(np.spacing(8192.0)))


@settings(max_examples=30)
@given(st.integers(20, 60), st.floats(8, 12), st.floats(8, 12))
def test_points_stay_on_what_they_name(width: int, x: float, y: float) -> None:
    across, down = np.meshgrid(np.arange(width), np.arange(20))
    image = (250 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 8)).astype(np.uint8)
    mirrored = cv2.flip(image, 1).astype(float)
    centroid = [(mirrored * across).sum() / mirrored.sum(), (mirrored * down).sum() / mirrored.sum()]
    straight = image.astype(float)
    truth = np.array([[(straight * across).sum(), (straight * down).sum()]]) / straight.sum()
    moved, _ = flipped(truth, np.array([2], np.int8), flip_order(["a"], []), width)
    assert moved[0] == pytest.approx(centroid, abs=1e-9)


@given(pairings())
def test_the_pairs_can_be_read_off_the_order(pairs: list[tuple[str, str]]) -> None:
    found = pairs_of(NAMES, flip_order(NAMES, pairs).tolist())
    assert {frozenset(pair) for pair in found} == {frozenset(pair) for pair in pairs}


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("left_eye", "mouth")], "'mouth' is no keypoint"),
        ([("left_eye", "left_eye")], "'left_eye' is named twice"),
        ([("left_eye", "right_eye"), ("nose", "left_eye")], "'left_eye' is named twice"),
    ],
)
def test_wrong_pairs_are_refused(pairs: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        flip_order(NAMES, pairs)


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [0], [1, 2, 0]])
def test_orders_that_are_no_mirror_are_refused(order: list[int]) -> None:
    with pytest.raises(DataError, match="changing over in pairs"):
        pairs_of(["a", "b", "c"][: max(2, len(order))], order)
