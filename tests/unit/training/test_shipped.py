"""What training measures is what the inspector tells."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.geometry import Region
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.recipe import load_recipe
from tests.recipes import dots_sensor_px, frame_with_part, make_recipe
from tests.unit.pipeline.test_keypoint_stages import folder as full_recipe
from training.shipped import ShippedView

__all__ = ["full_recipe"]
SHIFT = (4.7, -6.1)


def test_a_view_is_predicted_as_it_is_inspected(full_recipe: Path) -> None:
    image = frame_with_part(shift_px=SHIFT)
    (told,) = Inspector.load(load_recipe(full_recipe, sealed=False)).inspect("top", mono8_frame(image))
    (found,) = ShippedView(full_recipe / "top").predict(image, [Region(0, 0, 256, 256)])
    assert np.array_equal(found.refined_sensor_px, [[point.x, point.y] for point in told.keypoints])
    assert 0.1 * found.sigma_sensor_px == pytest.approx([point.sigma_px for point in told.keypoints])
    assert not found.is_placed.any()
    for xy in (found.coarse_sensor_px, found.posed_sensor_px, found.refined_sensor_px):
        assert np.abs(xy - dots_sensor_px(shift_px=SHIFT)).max() < 0.3


def test_an_old_view_has_no_sigma_and_each_stage_it_lacks_is_the_one_before(tmp_path: Path) -> None:
    view = ShippedView(make_recipe(tmp_path / "part", ["top"], refine=False, sealed=False) / "top")
    (found,) = view.predict(frame_with_part(shift_px=SHIFT), [Region(0, 0, 256, 256)])
    assert np.array_equal(found.coarse_sensor_px, found.refined_sensor_px)
    assert np.array_equal(found.coarse_sensor_px, found.posed_sensor_px)
    assert np.isnan(found.sigma_sensor_px).all()
    starts = dots_sensor_px() + 2.0
    assert view.refine_from(frame_with_part(), Region(0, 0, 256, 256), starts) is starts


def test_refinement_may_start_elsewhere(full_recipe: Path) -> None:
    starts = dots_sensor_px() + np.array([6.0, -5.0])
    found = ShippedView(full_recipe / "top").refine_from(frame_with_part(), Region(0, 0, 256, 256), starts)
    assert np.abs(found - dots_sensor_px()).max() < 0.1
