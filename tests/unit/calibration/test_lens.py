"""Boards seen through known lenses: points without bias, parameters within what is said of them."""

import numpy as np
import pytest

from calibration.board import Board
from calibration.board_view import BoardView, find_board
from calibration.dot import middle_of_area_px
from calibration.lens import LensFit, calibrate_lens
from pipeline.errors import ConfigError, DataError
from pipeline.lens_model import Array, Lens, make_lens
from pipeline.plane_map import PlaneMap
from simulator.plane_view import FlatPicture, exposed, see

WH = (640, 480)
BROWN = make_lens("brown", np.array([700, 702, 322, 238, -0.3, 0.1, 0.001, -0.0005, -0.01]), WH)
FISHEYE = make_lens("fisheye", np.array([300, 302, 322, 238, -0.02, 0.01, -0.005, 0.001]), WH)
AFFINE = make_lens("affine", np.array([-0.05, 0.01, 0.001, -0.002]), WH)
TILTED = np.array([0.4, -0.3, 0.1, -35.0, -28.0, 120.0])


@pytest.mark.parametrize("kind", ["charuco", "checker", "dots"])
def test_points_of_a_drawn_board_are_found_without_bias_and_as_sure_as_told(kind: str) -> None:
    board = Board.parse(f"{kind}:9x7:8mm")
    levels = see(PlaneMap(BROWN, TILTED), FlatPicture(board.drawn(80), 0.1, (-8.0, -8.0)), WH)
    view = find_board(board, "tilted", exposed(levels, 2.0, np.random.default_rng(3), 0.85))
    assert view is not None
    assert len(view.points_mm) > 40
    true_px = PlaneMap(BROWN, TILTED).to_px(view.points_mm)
    if kind == "dots":
        moved = middle_of_area_px(BROWN, TILTED, view.points_mm, board.dot_radius_mm)
        assert np.abs(moved).max() > 0.03  # perspective moves what is found: it must be reckoned with
        true_px = true_px + moved
    off = view.xy_sensor_px - true_px
    assert np.abs(off.mean(axis=0)).max() < 0.006
    assert np.abs(off).max() < 0.06
    assert 0.6 < np.sqrt((off**2).mean()) / np.sqrt((view.sigma_px**2).mean()) < 1.5


def test_a_checker_upside_down_is_not_taken_for_one_that_is_not() -> None:
    board = Board.parse("checker:8x7:8mm")
    picture = board.drawn(20)
    for image, first in ((picture, (39.5, 39.5)), (np.rot90(picture, 2).copy(), (159.5, 139.5))):
        view = find_board(board, "turned", image)
        assert view is not None
        assert view.xy_sensor_px[0] == pytest.approx(first, abs=0.1)


def test_no_board_no_view() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 160)).astype(np.uint8)
    for kind in ("charuco", "checker", "dots"):
        assert find_board(Board.parse(f"{kind}:9x7:8mm"), "noise", noise) is None


def seen(
    lens: Lens, board: Board, rng: np.random.Generator, sigma_px: float = 0.02, count: int = 10
) -> list[BoardView]:
    """Views of a board by a lens, with noise, of which the detector knows half."""
    views: list[BoardView] = []
    while len(views) < count:
        if "fx" in lens.names:
            turn = np.append(rng.uniform(-0.6, 0.6, 2), rng.uniform(-0.5, 0.5))
            place = rng.uniform((-90, -70, 75), (10, 10, 130)) * (1, 1, lens.values[0] / 700)
            pose: Array = np.append(turn, place)
        else:
            pose = np.array([6.0, 0.5, -0.5, 5.5, rng.uniform(-100, 100), rng.uniform(-80, 80)]) + np.append(
                rng.uniform(-1, 1, 4), (0, 0)
            )
        xy = lens.draw(pose, np.column_stack([board.points_mm, np.zeros(len(board.points_mm))])).xy_sensor_px
        inside = ((xy > 5) & (xy < (635, 475))).all(axis=1)
        if inside.sum() >= 25:
            noisy = xy[inside] + rng.normal(size=(int(inside.sum()), 2)) * sigma_px
            told = np.full(len(noisy), sigma_px / 2)
            views.append(BoardView(f"v{len(views)}", WH, board.points_mm[inside], noisy, told))
    return views


def surprise(fit: LensFit, lens: Lens) -> float:
    """Squared distance of what was found from the truth, in its own covariance; as many on average as parameters."""
    off = fit.lens.values - lens.values
    return float(off @ np.linalg.solve(fit.covariance, off))


@pytest.mark.parametrize(("model", "lens"), [("brown", BROWN), ("fisheye", FISHEYE), ("affine", AFFINE)])
def test_parameters_lie_where_their_covariance_says(model: str, lens: Lens) -> None:
    rng, board = np.random.default_rng(7), Board.parse("charuco:12x9:8mm")
    fits = [calibrate_lens(seen(lens, board, rng), board, model) for _ in range(3)]
    distances = [surprise(fit, lens) for fit in fits]
    assert 0.25 < np.mean(distances) / len(lens.values) < 2.0  # 27 degrees of freedom or more, but for affine's 12
    assert all(fit.residual_px == pytest.approx(0.02, rel=0.1) and not fit.left_out for fit in fits)


def test_a_view_that_does_not_belong_is_named_and_far_points_are_left_out() -> None:
    rng, board = np.random.default_rng(8), Board.parse("charuco:12x9:8mm")
    views = seen(BROWN, board, rng)
    shaken = views[3].xy_sensor_px + rng.normal(size=views[3].xy_sensor_px.shape) * 2.0
    views[3] = BoardView("shaken.png", WH, views[3].points_mm, shaken, views[3].sigma_px)
    views[5].xy_sensor_px[4] += 1.0
    fit = calibrate_lens(views, board)
    assert [one.name for one in fit.left_out] == ["shaken.png"]
    assert "px off, the others 0.0" in fit.left_out[0].why
    assert fit.points_left_out == 1
    assert surprise(fit, BROWN) < 30


def test_views_straight_from_the_front_leave_the_focal_length_unknown_and_that_is_told() -> None:
    rng, board = np.random.default_rng(10), Board.parse("charuco:12x9:8mm")
    views = []
    for number in range(5):
        pose = np.array([0.0, 0.0, rng.uniform(-0.3, 0.3), rng.uniform(-60, -20), -30.0, 110.0])
        xy = PlaneMap(BROWN, pose).to_px(board.points_mm)
        inside = ((xy > 5) & (xy < (635, 475))).all(axis=1)
        noisy = xy[inside] + rng.normal(size=(int(inside.sum()), 2)) * 0.02
        views.append(BoardView(f"v{number}", WH, board.points_mm[inside], noisy, np.full(len(noisy), 0.02)))
    fit = calibrate_lens(views, board)
    assert np.abs(fit.lens.values - BROWN.values)[:2].max() < 3 * fit.sigmas[:2].min()
    assert fit.sigmas[0] > 10.0


def test_what_cannot_be_calibrated_is_said() -> None:
    rng, board = np.random.default_rng(9), Board.parse("charuco:12x9:8mm")
    views = seen(BROWN, board, rng, count=5)
    with pytest.raises(DataError, match="3 views of the board"):
        calibrate_lens(views[:3], board)
    nonsense = [
        BoardView(v.name, WH, v.points_mm, rng.uniform(0, 400, v.xy_sensor_px.shape), v.sigma_px) for v in views
    ]
    with pytest.raises(DataError, match=r"no lens of the model brown|too many views"):
        calibrate_lens(nonsense, board)


@pytest.mark.parametrize("text", ["charuco", "charuco:3x9:8mm", "charuco:9x7:0mm", "hexes:9x7:8mm", "dots:99x7:8mm"])
def test_no_board(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--board"):
        Board.parse(text)


def test_a_board_is_written_as_it_is_read() -> None:
    assert str(Board.parse("dots:10x8:2.5")) == "dots:10x8:2.5mm"
