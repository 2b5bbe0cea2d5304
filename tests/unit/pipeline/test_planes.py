"""Places and areas in mm through a lens that bends its picture."""

import numpy as np
import pytest

from pipeline.lens_model import make_lens
from pipeline.plane_map import PlaneMap
from pipeline.planes import ViewPlane, areas_mm2, placed_mm
from pipeline.result import Defect, DefectMask, Keypoint, KeypointState

LENS = make_lens("brown", np.array([620.0, 621.5, 326.0, 235.0, -0.32, 0.12, 0.0008, -0.0005, -0.02]), (640, 480))
PLANE = PlaneMap(LENS, np.array([0.3, -0.2, 0.05, -40.0, -30.0, 110.0]))


def test_keypoints_bear_their_places_in_mm_and_hidden_ones_none() -> None:
    (x, y), (far_x, far_y) = PLANE.to_px([(12.0, 9.0), (61.0, 47.0)]).tolist()
    seen = [
        Keypoint("a", "top", x, y, 1.0, KeypointState.visible),
        Keypoint("b", "top", None, None, 0.1, KeypointState.hidden),
        Keypoint("c", "top", far_x, far_y, 0.5, KeypointState.unsure),
    ]
    a, b, c = placed_mm(seen, ViewPlane(PLANE, "mm"))
    assert (a.x_mm, a.y_mm, c.x_mm, c.y_mm) == pytest.approx((12.0, 9.0, 61.0, 47.0), abs=1e-6)
    assert (b.x_mm, b.y_mm) == (None, None)
    for plane in (ViewPlane(None, "mm"), ViewPlane(PlaneMap.from_scale(1.0), "px")):
        assert placed_mm(seen, plane) == tuple(seen)


def test_an_area_is_told_at_the_size_of_a_px_where_it_lies() -> None:
    found = []
    for middle in ((8.0, 8.0), (70.0, 50.0)):
        corners = np.add(middle, [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
        x, y = PLANE.to_px(corners).T
        area_px = 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
        box = (x.min() + 0.5, y.min() + 0.5, float(np.ptp(x)), float(np.ptp(y)))
        found.append(Defect("top", area_px, box, 1.0, (*box[:2], 1.0), DefectMask(*box, 1, 1, [0, 1])))
    assert found[0].area_px / found[1].area_px > 1.2 or found[0].area_px / found[1].area_px < 0.8
    assert [one.area_mm2 for one in areas_mm2(found, PLANE)] == pytest.approx([4.0, 4.0], rel=0.02)
