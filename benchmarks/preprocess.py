"""Both images of a part, the large one and the small one, by our device beside every sensible route through OpenCV.

A route is correct where 99.9% of the pixels of both images, of rendered frames, lie within one grey level of true area
resampling: of the mean over exactly the area that a pixel covers, in float64, rounded to a grey level.
"""

import math
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.bare import bracket_frames
from benchmarks.report import Figure, Measured, main
from engines.devices.cpu import CpuDevice
from pipeline.clock import monotonic_ns
from pipeline.geometry import Region
from pipeline.pixels import whole_grey8
from pipeline.stages.crop import widened

Image = NDArray[np.uint8]
Route = Callable[[Image, Image, Image], None]  # the area of the frame, and the large and small image, which are filled

OURS = "ours"
SCALES = (1.0, 1.3, 2.0, 2.7, 4.4)
REDUCTION = 8  # of the large image to the small one, as in the example recipe
FRAME_WH = (1280, 1024)
JUDGED_FRAMES = 3
SEED = 7
WARM_UP = 3


def _to(source: Image, target: Image, interpolation: int) -> None:
    cv2.resize(source, (target.shape[1], target.shape[0]), dst=target, interpolation=interpolation)


def _shifted(source: Image, target: Image) -> None:
    """One linear step by warpAffine; its phase is that of a resize."""
    scales = [of / to for of, to in zip(source.shape, target.shape, strict=True)]
    rows = [[scales[1], 0.0, scales[1] / 2 - 0.5], [0.0, scales[0], scales[0] / 2 - 0.5]]
    size, flags = (target.shape[1], target.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(source, np.array(rows), size, target, flags, cv2.BORDER_REPLICATE)


class _Halved:
    """Halve in even steps, then one step of another kind; its scratch memory is kept."""

    def __init__(self, halve: Callable[[Image, Image], object], last: int) -> None:
        self._halve, self._last = halve, last
        self._kept: dict[tuple[int, int], Image] = {}

    def __call__(self, source: Image, target: Image) -> None:
        height, width = target.shape
        while source.shape[0] >= 2 * height and source.shape[1] >= 2 * width and not any(n % 2 for n in source.shape):
            shape = (source.shape[0] // 2, source.shape[1] // 2)
            half = target if shape == target.shape else self._kept.setdefault(shape, np.empty(shape, np.uint8))
            self._halve(source, half)
            source = half
        if source is not target:
            _to(source, target, self._last)


def _by_area(source: Image, half: Image) -> None:
    _to(source, half, cv2.INTER_AREA)


def _by_pyramid(source: Image, half: Image) -> None:
    cv2.pyrDown(source, dst=half)


def _each(step: Callable[[Image, Image], None]) -> Route:
    """Both images from the frame."""

    def route(area: Image, large: Image, small: Image) -> None:
        step(area, large)
        step(area, small)

    return route


def _chained(first: Callable[[Image, Image], None], second: Callable[[Image, Image], None]) -> Route:
    """The small image from the large one."""

    def route(area: Image, large: Image, small: Image) -> None:
        first(area, large)
        second(large, small)

    return route


def _with(interpolation: int) -> Callable[[Image, Image], None]:
    return lambda source, target: _to(source, target, interpolation)


def routes() -> dict[str, Route]:
    """All of them by name, ours first."""
    device = CpuDevice()
    area, linear = _with(cv2.INTER_AREA), _with(cv2.INTER_LINEAR)

    def halved(last: int) -> _Halved:  # with memory of its own: no route finds what another one has just used
        return _Halved(_by_area, last)

    return {
        OURS: _chained(device.resize, device.resize),
        "area to each": _each(area),
        "area, area of large": _chained(area, area),
        "area, large halved": _chained(area, halved(cv2.INTER_AREA)),
        "halved, area; large halved": _chained(halved(cv2.INTER_AREA), halved(cv2.INTER_AREA)),
        "linear to each": _each(linear),
        "linear, area of large": _chained(linear, area),
        "linear, large halved": _chained(linear, halved(cv2.INTER_LINEAR)),
        "halved, linear to each": _each(halved(cv2.INTER_LINEAR)),
        "halved, linear; area of large": _chained(halved(cv2.INTER_LINEAR), area),
        "linear exact, large halved": _chained(_with(cv2.INTER_LINEAR_EXACT), halved(cv2.INTER_LINEAR)),
        "pyrDown, linear to each": _each(_Halved(_by_pyramid, cv2.INTER_LINEAR)),
        "warpAffine to each": _each(_shifted),
        "warpAffine, large halved": _chained(_shifted, halved(cv2.INTER_LINEAR)),
    }


@dataclass(frozen=True, slots=True)
class Geometry:
    """A region of the frame, x, y, w, h in sensor px, and the widths and heights of its images."""

    scale: float
    area: tuple[int, int, int, int]
    large_wh: tuple[int, int]

    @classmethod
    def at(cls, scale: float) -> "Geometry":
        """The largest region of the frame that is `scale` times as large as its large image."""
        wide, high = (REDUCTION * math.floor(side / (scale * REDUCTION)) for side in FRAME_WH)
        x, y, w, h = widened(Region(0.0, 0.0, wide * scale, high * scale), (wide, high))
        x, y = (max(0, min(place, side - length)) for place, side, length in zip((x, y), FRAME_WH, (w, h), strict=True))
        return cls(scale, (x, y, w, h), (wide, high))

    def cut(self, frame: Image) -> Image:
        """The region, a view."""
        x, y, w, h = self.area
        return frame[y : y + h, x : x + w]

    def images(self) -> tuple[Image, Image]:
        """Memory for the large and the small image."""
        wide, high = self.large_wh
        return np.empty((high, wide), np.uint8), np.empty((high // REDUCTION, wide // REDUCTION), np.uint8)


@dataclass(slots=True)
class Course:
    """What one route does at one geometry: ms, and how far from the truth in grey levels, (N,) of each pixel."""

    ms: list[float] = field(default_factory=list)
    frames: list[NDArray[np.float64]] = field(default_factory=list)
    noise: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def is_correct(self) -> bool:
        """See the module."""
        return _levels(self.frames)[0] <= 1.0

    @property
    def undisturbed_ms(self) -> float:
        """The lower tenth: what else the machine does falls on the others."""
        return float(np.percentile(self.ms, 10))


def _levels(errors: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """99.9th percentile and maximum: of the image, large or small, in which it is worse."""
    return max(float(np.percentile(one, 99.9)) for one in errors), max(float(one.max()) for one in errors)


def measure(quick: bool) -> Measured:
    """Measure the time and the error of both images of a part, by our device and by every sensible route through OpenCV."""
    cv2.setNumThreads(1)
    frames = [whole_grey8(frame) for frame in bracket_frames()]
    rows: list[tuple[str | float, ...]] = []
    ratios, levels = [], []
    for geometry in map(Geometry.at, SCALES):
        courses = {name: Course() for name in routes()}
        _judge(geometry, frames[:JUDGED_FRAMES], courses)
        _time(geometry, frames, courses, 60 if quick else 600)
        fastest = min(one.undisturbed_ms for name, one in courses.items() if name != OURS and one.is_correct)
        ratios.append(courses[OURS].undisturbed_ms / fastest)
        levels.append(_levels(courses[OURS].frames)[0])
        rows += [_row(geometry, name, course, fastest) for name, course in courses.items()]
    return Measured(
        title=f"regions of {FRAME_WH[0]}x{FRAME_WH[1]} Mono8 to a large and a small image ({REDUCTION} times smaller), "
        f"one thread, interleaved in one run, {os.cpu_count()} cores; grey levels off true area resampling at matched "
        "phase, of the worse image, 99.9th percentile (maximum); correct: 99.9% within 1 on rendered frames",
        columns=[
            "scale",
            "route",
            "large",
            "p50 ms",
            "p10 ms",
            "over fastest correct",
            "frames off",
            "noise off",
            "correct",
        ],
        rows=rows,
        figures=[
            Figure("ours_over_fastest_correct", max(ratios)),
            *(Figure(f"at_{scale:g}_over_fastest_correct", ratio) for scale, ratio in zip(SCALES, ratios, strict=True)),
            *(Figure(f"at_{scale:g}_off_levels", off) for scale, off in zip(SCALES, levels, strict=True)),
        ],
    )


def _row(geometry: Geometry, name: str, course: Course, fastest: float) -> tuple[str | float, ...]:
    off = [f"{near:.0f} ({most:.0f})" for near, most in (_levels(course.frames), _levels(course.noise))]
    took = course.undisturbed_ms
    return (
        f"{geometry.scale:g}",
        name,
        "{}x{}".format(*geometry.large_wh),
        float(np.percentile(course.ms, 50)),
        took,
        took / fastest,
        *off,
        "yes" if course.is_correct else "no",
    )


def _judge(geometry: Geometry, frames: Sequence[Image], courses: dict[str, Course]) -> None:
    """The errors of every route, on frames and on noise."""
    width, height = FRAME_WH
    noise = np.random.default_rng(SEED).integers(0, 256, (height, width)).astype(np.uint8)
    ways = routes()
    large, small = geometry.images()
    for frame in (*frames, noise):
        area = geometry.cut(frame)
        truths = true_area(area, large.shape), true_area(area, small.shape)
        for name, course in courses.items():
            ways[name](area, large, small)
            errors = [np.abs(image - truth).ravel() for image, truth in zip((large, small), truths, strict=True)]
            (course.noise if frame is noise else course.frames).extend(errors)


def _time(geometry: Geometry, frames: Sequence[Image], courses: dict[str, Course], rounds: int) -> None:
    """All routes in every round, in an order that is drawn anew, so that a busy machine slows all alike."""
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    ways = list(routes().items())
    large, small = geometry.images()
    for turn in range(WARM_UP + rounds):
        area = geometry.cut(frames[turn % len(frames)])
        for name, route in draw.sample(ways, len(ways)):
            begun_ns = monotonic_ns()
            route(area, large, small)
            if turn >= WARM_UP:
                courses[name].ms.append((monotonic_ns() - begun_ns) / 1e6)


def true_area(image: Image, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The mean over the area that each pixel of an image of this shape covers, rounded to a grey level.

    Args:
        image: uint8 (h, w); a pixel is a square of one grey level.
        shape: (rows, columns), pixel centres as after a resize.

    Returns:
        float64 (rows, columns), whole numbers.
    """
    down, across = (_coverage(of, to) for of, to in zip(image.shape, shape, strict=True))
    return np.rint(down @ image.astype(np.float64) @ across.T)


def _coverage(of: int, to: int) -> NDArray[np.float64]:
    """(to, of): the share that each pixel of a line of `of` has in each of a line of `to`."""
    edges = np.arange(to + 1) * (of / to)
    pixels = np.arange(of)
    first, last = np.maximum(edges[:-1, None], pixels), np.minimum(edges[1:, None], pixels + 1)
    share: NDArray[np.float64] = np.clip(last - first, 0.0, None) * (to / of)
    return share


if __name__ == "__main__":
    sys.exit(main("preprocess", measure))
