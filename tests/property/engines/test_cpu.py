"""What a warped image or a patch shows lies where the map says, to a small part of a pixel."""

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engines.devices.cpu import CpuDevice

SIZE = 64


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(-math.pi, math.pi),
    step=st.floats(0.3, 9.0),
    x=st.floats(-6, 6),
    y=st.floats(-6, 6),
    rows=st.sampled_from([481, 512]),
    columns=st.sampled_from([600, 633]),
)
def test_a_dot_comes_to_lie_where_the_map_says(
    angle: float, step: float, x: float, y: float, rows: int, columns: int
) -> None:
    wanted = np.array([SIZE / 2 + x, SIZE / 2 + y])  # in the target
    place = np.array([columns / 2 + 0.31, rows / 2 - 0.27])  # in the image
    turn = step * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    image_from_target = np.column_stack([turn, place - turn @ wanted])
    vertical, horizontal = np.indices((rows, columns))
    width = 3.0 * max(step, 1.0)
    light = np.exp(-((horizontal - place[0]) ** 2 + (vertical - place[1]) ** 2) / (2 * width**2))
    target = np.empty((SIZE, SIZE), np.uint8)
    CpuDevice().warp((240 * light).round().astype(np.uint8), image_from_target, target)
    vertical, horizontal = np.indices(target.shape)
    levels = np.where(target > 4, target.astype(np.float64), 0.0)
    near = np.hypot(horizontal - wanted[0], vertical - wanted[1]) < SIZE / 2 - 7
    levels *= near  # alike on all sides of the dot
    found = np.array([(levels * horizontal).sum(), (levels * vertical).sum()]) / levels.sum()
    assert np.abs(found - wanted).max() < 0.05


@settings(max_examples=60, deadline=None)
@given(
    angle=st.floats(-2 * math.pi, 2 * math.pi),
    span=st.floats(20.0, 300.0),
    size=st.sampled_from([32, 33, 48]),
    x=st.floats(-1, 1),
    y=st.floats(-1, 1),
    fraction=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_turned_patch_shows_a_dot_where_the_angle_says(
    angle: float, span: float, size: int, x: float, y: float, fraction: tuple[float, float]
) -> None:
    step = span / size
    width = 2.0 * max(step, 1.0)  # of the dot, in px of the image
    reach = (size - 1) / 2 - 4.5 * width / step
    assume(reach > 0)
    wanted = reach * np.array([x, y])  # in the patch, from its centre
    centre = np.array([220.0, 200.0]) + fraction
    place = centre + step * (
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ wanted
    )
    vertical, horizontal = np.indices((400, 440))
    light = np.exp(-((horizontal - place[0]) ** 2 + (vertical - place[1]) ** 2) / (2 * width**2))
    patches = np.empty((1, size, size), np.uint8)
    CpuDevice().gather((240 * light).round().astype(np.uint8), centre[None], span, patches, angle)
    vertical, horizontal = np.indices((size, size)) - (size - 1) / 2
    near = np.hypot(horizontal - wanted[0], vertical - wanted[1]) < 4.5 * width / step
    levels = np.where(near & (patches[0] > 2), patches[0].astype(np.float64), 0.0)
    found = np.array([(levels * horizontal).sum(), (levels * vertical).sum()]) / levels.sum()
    assert np.abs(found - wanted).max() < 0.05
