"""What a warped image shows lies where the map says, to a small part of a pixel."""

import math

import numpy as np
from hypothesis import given, settings
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
