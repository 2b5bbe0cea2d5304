"""What a plane map says of points and of its own uncertainty, by every lens model."""

import numpy as np
import pytest

from pipeline.lens_model import Array, Lens, make_lens
from pipeline.plane_map import PlaneMap

WH = (1280, 1024)
PINHOLE = np.array([0.2, -0.1, 0.3, -20.0, -15.0, 300.0])
LENSES = {
    "brown": (np.array([1200, 1210, 640, 500, -0.3, 0.1, 0.001, -0.0005, 0.01]), PINHOLE),
    "fisheye": (np.array([600, 605, 640, 500, -0.02, 0.01, 0.001, -0.0005]), PINHOLE),
    "affine": (np.array([-0.05, 0.01, 0.001, -0.002]), np.array([10.0, 0.2, -0.3, 9.9, 300.0, 200.0])),
}
CORNERS = np.array([[0.0, 0.0], [1279.0, 0.0], [1279.0, 1023.0], [0.0, 1023.0], [600.0, 500.0]])
STEP = np.array([0.01, 0.0])


def lens_and_pose(model: str) -> tuple[Lens, Array]:
    values, pose = LENSES[model]
    return make_lens(model, values, WH), pose


@pytest.mark.parametrize("model", LENSES)
def test_derivatives_are_those_of_the_drawing(model: str) -> None:
    lens, pose = lens_and_pose(model)
    xyz = np.random.default_rng(1).uniform((-5, -5, -3), (60, 50, 3), (12, 3))
    drawn = lens.draw(pose, xyz)

    def slope(draw: object, values: Array) -> Array:
        steps = np.eye(len(values)) * 1e-6 * np.maximum(1.0, np.abs(values))
        return np.stack([(draw(values + s) - draw(values - s)) / (2 * s.sum()) for s in steps], -1)  # type: ignore[operator]

    by_lens = slope(lambda v: lens.with_values(v).draw(pose, xyz).xy_sensor_px, lens.values)
    by_pose = slope(lambda v: lens.draw(v, xyz).xy_sensor_px, pose)
    by_xyz = slope(lambda v: lens.draw(pose, xyz + v).xy_sensor_px, np.zeros(3))
    for numeric, told in ((by_lens, drawn.by_lens), (by_pose, drawn.by_pose), (by_xyz, drawn.by_xyz_mm)):
        assert np.abs(numeric - told).max() < 1e-6 * np.abs(numeric).max()


@pytest.mark.parametrize("model", LENSES)
def test_there_and_back_to_the_corners_of_the_image(model: str) -> None:
    lens, pose = lens_and_pose(model)
    plane = PlaneMap(lens, pose, None, height_mm=2.0)
    assert np.abs(plane.to_px(plane.to_mm(CORNERS)) - CORNERS).max() < 1e-6


@pytest.mark.parametrize("model", LENSES)
def test_jacobian_and_covariance_are_what_many_draws_show(model: str) -> None:
    lens, pose = lens_and_pose(model)
    rng = np.random.default_rng(2)
    count = len(lens.values)
    spread = np.tril(rng.normal(size=(count + 8, count + 8))) * 1e-6
    plane = PlaneMap(lens, pose, spread @ spread.T, height_mm=2.0)
    stepped = (plane.to_mm(CORNERS + STEP) - plane.to_mm(CORNERS - STEP)) / 0.02
    assert stepped == pytest.approx(plane.jacobian(CORNERS)[:, :, 0], rel=1e-4, abs=1e-7)
    draws = []
    for _ in range(400):
        moved = spread @ rng.normal(size=count + 8)
        other = PlaneMap(lens.with_values(lens.values + moved[:count]), pose + moved[count:-2], None, 2.0 + moved[-2])
        draws.append((other.to_mm(CORNERS) * (1.0 + moved[-1])).ravel())
    seen, told = np.cov(np.array(draws).T), plane.covariance_mm2(CORNERS)
    assert np.diag(seen) == pytest.approx(np.diag(told), rel=0.3)
    ends = np.array([1.0, 0.0, -1.0, 0.0] + [0.0] * 6)  # of a distance: shared parameters cancel
    assert ends @ told @ ends == pytest.approx(ends @ seen @ ends, rel=0.3)


def test_a_plain_scale() -> None:
    plane = PlaneMap.from_scale(0.1, 0.001)
    assert plane.to_mm([[10.0, 20.0]]) == pytest.approx(np.array([[1.0, 2.0]]))
    along = np.array([-1.0, 0.0, 1.0, 0.0])
    assert along @ plane.covariance_mm2([[10.0, 20.0], [110.0, 20.0]]) @ along == pytest.approx(0.1**2)
    silent = PlaneMap.from_scale(0.1)
    assert not silent.states_uncertainty
    assert not silent.covariance_mm2([[1.0, 2.0]]).any()


def test_height_shrinks_what_is_nearer_and_what_has_no_place_is_nan() -> None:
    lens = make_lens("brown", np.array([1000.0, 1000.0, 640.0, 512.0, 0, 0, 0, 0, 0]), WH)
    pose = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 200.0])
    flat, raised = PlaneMap(lens, pose), PlaneMap(lens, pose, None, height_mm=20.0)
    assert raised.to_mm([[740.0, 512.0]]) == pytest.approx(flat.to_mm([[740.0, 512.0]]) * 0.9)
    along = np.array([np.pi / 2, 0.0, 0.0, 0.0, 10.0, 200.0])  # looks along the plane: half of the image is above it
    mm = PlaneMap(lens, along).to_mm([[640.0, 100.0], [640.0, 900.0]])
    assert np.isnan(mm).any(axis=1).tolist() in ([True, False], [False, True])
    assert np.isnan(PlaneMap(lens, along).jacobian([[640.0, 100.0], [640.0, 900.0]])).any()
