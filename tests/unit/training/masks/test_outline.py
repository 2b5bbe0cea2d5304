import cv2
import numpy as np
import pytest

from training.masks.outline import polygon_mask, run_lengths, run_mask


def test_a_rectangle_covers_the_pixels_whose_centres_it_holds() -> None:
    mask = polygon_mask([[1, 2, 4, 2, 4, 5, 1, 5]], (8, 8))
    assert np.argwhere(mask).min(0).tolist() == [2, 1]
    assert np.argwhere(mask).max(0).tolist() == [4, 3]
    assert mask.sum() == 9


def test_half_a_pixel_decides_by_its_centre() -> None:
    assert polygon_mask([[0.4, 0.4, 1.6, 0.4, 1.6, 1.6, 0.4, 1.6]], (3, 3)).sum() == 4
    assert polygon_mask([[0.6, 0.6, 1.6, 0.6, 1.6, 1.6, 0.6, 1.6]], (3, 3)).sum() == 1
    assert polygon_mask([[0.6, 0.6, 1.4, 0.6, 1.4, 1.4, 0.6, 1.4]], (3, 3)).sum() == 0


def test_any_polygon_agrees_with_a_test_of_every_pixel_centre() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        corners = rng.uniform(-5, 30, (int(rng.integers(3, 9)), 2)).astype(np.float32)
        mask = polygon_mask([corners.ravel().tolist()], (20, 24))
        inside = _even_odd(corners.astype(np.float64), (20, 24))
        assert np.array_equal(mask, inside)


def _even_odd(corners: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """By counting, for one pixel centre after the other, the edges to the left of it."""
    inside = np.zeros(hw, bool)
    for row in range(hw[0]):
        for column in range(hw[1]):
            x, y = column + 0.5, row + 0.5
            for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                if min(y0, y1) <= y < max(y0, y1) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
                    inside[row, column] ^= True
    return inside


def test_the_area_of_a_disc_is_that_of_the_disc() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    disc = np.stack((60 + 40 * np.cos(angles), 50 + 40 * np.sin(angles)), 1).ravel().tolist()
    assert polygon_mask([disc], (100, 120)).sum() == pytest.approx(np.pi * 1600, rel=0.002)


def test_several_polygons_are_one_mask_and_none_is_empty() -> None:
    square = [0, 0, 4, 0, 4, 4, 0, 4]
    assert polygon_mask([square, [2, 2, 6, 2, 6, 6, 2, 6]], (8, 8)).sum() == 28
    assert polygon_mask([square, square], (8, 8)).sum() == 16
    assert not polygon_mask([], (8, 8)).any()


@pytest.mark.parametrize(
    ("numbers", "says"),
    [([0, 0, 4, 4], "of 4"), ([0, 0, 4, 0, 4, 4, 1], "of 7"), ([0, 0, 4, 0, 4, float("nan")], "finite")],
)
def test_what_is_no_polygon_is_refused(numbers: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        polygon_mask([numbers], (8, 8))


def test_runs_go_down_the_columns() -> None:
    mask = run_mask([1, 2, 3], (3, 2))
    assert mask.tolist() == [[False, False], [True, False], [True, False]]
    assert run_mask([0, 6], (2, 3)).all()


@pytest.mark.parametrize("counts", [[1, 2], [1, 2, 4], [4, -1, 3], []])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="runs of"):
        run_mask(counts, (3, 2))


@pytest.mark.parametrize(
    ("text", "counts"), [("6320004", [6, 3, 2, 3, 2, 3, 6]), ("122O", [1, 2, 2, 1]), ("Z11", [42, 1]), ("", [])]
)
def test_compressed_runs_are_those_of_the_format(text: str, counts: list[int]) -> None:
    assert run_lengths(text) == counts


def test_compressed_runs_come_back_from_what_the_format_writes() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        mask = cv2.GaussianBlur(rng.normal(size=(60, 90)), (0, 0), 6) > 0
        flat = np.concatenate(([False], mask.T.ravel()))
        counts = np.diff(np.flatnonzero(flat[1:] != flat[:-1]), prepend=0, append=mask.size).tolist()
        assert run_lengths(_compressed(counts)) == counts
        assert np.array_equal(run_mask(run_lengths(_compressed(counts)), mask.shape), mask)


def _compressed(counts: list[int]) -> str:
    """As the format describes it: differences from the number two places before, in groups of five bits."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            group, value = value & 0x1F, value >> 5
            is_last = value == (-1 if group & 0x10 else 0)
            text += chr(48 + (group if is_last else group | 0x20))
            if is_last:
                break
    return text


@pytest.mark.parametrize(("text", "says"), [("6 3", "character ' '"), ("6P", "end within"), ("6\x90", "character")])
def test_what_is_no_compressed_text_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        run_lengths(text)
