"""Complete recipes for tests: those of the benchmarks."""

from benchmarks.dots.recipes import (
    DOTS,
    KEYPOINTS,
    LARGE_WH,
    SMALL_WH,
    Region,
    dots_sensor_px,
    draw_part,
    frame_with_part,
    make_recipe,
)

__all__ = [
    "DOTS",
    "KEYPOINTS",
    "LARGE_WH",
    "SMALL_WH",
    "Region",
    "dots_sensor_px",
    "draw_part",
    "frame_with_part",
    "make_recipe",
]
