"""One device held against the processor: the same operation on both, and how far apart the grey levels may be."""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import CudaDevice

Image = NDArray[np.uint8]
SIDES = st.integers(1, 150)
SHAPES = st.tuples(SIDES, SIDES)
ANGLES = st.one_of(st.just(0.0), st.just(math.pi / 2), st.floats(-math.pi, math.pi))
SEEDS = st.integers(0, 2**32 - 1)
STEPS_AND_ANGLES = [(1.3, 0.2), (2.7, -1.0), (1.5, 0.0), (3.0, 0.0)]
SHARE_APART = 0.001  # of the pixels, for each of these


def levels(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


@dataclass(frozen=True)
class Resizing:
    seed: int
    source: tuple[int, int]
    target: tuple[int, int]

    def check(self, device: CudaDevice) -> None:
        """To the same grey level."""
        image = levels(self.seed, *self.source)
        expected, found = np.empty(self.target, np.uint8), device.empty(*self.target)
        CpuDevice().resize(image, expected)
        device.resize(device.upload(image), found)
        assert np.array_equal(device.download(found), expected)


@dataclass(frozen=True)
class Padding:
    seed: int
    source: tuple[int, int]
    left: int
    top: int
    right: int
    bottom: int

    def check(self, device: CudaDevice) -> None:
        """To the same grey level."""
        image = levels(self.seed, *self.source)
        expected = np.empty(
            (image.shape[0] + self.top + self.bottom, image.shape[1] + self.left + self.right), np.uint8
        )
        CpuDevice().pad(image, expected, left=self.left, top=self.top)
        found = device.empty(*expected.shape)
        device.pad(device.upload(image), found, left=self.left, top=self.top)
        assert np.array_equal(device.download(found), expected)


@dataclass(frozen=True)
class Gathering:
    seed: int
    source: tuple[int, int]
    size: int
    step: float  # of the image px to a patch px
    angle: float
    fractions: list[tuple[float, float]]

    def check(self, device: CudaDevice) -> None:
        """To one grey level: OpenCV rounds ties in several ways, even within an image."""
        image = levels(self.seed, *self.source)
        centres = np.array(self.fractions) * (image.shape[1], image.shape[0])
        expected = np.empty((len(centres), self.size, self.size), np.uint8)
        CpuDevice().gather(image, centres, self.step * self.size, expected, self.angle)
        found = device.empty(*expected.shape)
        device.gather(device.upload(image), centres, self.step * self.size, found, self.angle)
        apart = np.abs(device.download(found).astype(np.int64) - expected)
        assert apart.max() <= 1


@dataclass(frozen=True)
class Warping:
    seed: int
    source: tuple[int, int]
    target: tuple[int, int]
    angle: float
    step: float
    stretch: float
    corner: tuple[float, float]

    def check(self, device: CudaDevice) -> None:
        """To one grey level, likewise."""
        image = levels(self.seed, *self.source)
        cos, sin = self.step * math.cos(self.angle), self.step * math.sin(self.angle)
        rows = [[cos, -sin * self.stretch, self.corner[0]], [sin, cos * self.stretch, self.corner[1]], [0.0, 0.0, 1.0]]
        expected, found = np.empty(self.target, np.uint8), device.empty(*self.target)
        CpuDevice().warp(image, np.array(rows), expected)
        device.warp(device.upload(image), np.array(rows), found)
        apart = np.abs(device.download(found).astype(np.int64) - expected)
        assert apart.max() <= 1


RESIZINGS = st.builds(Resizing, SEEDS, SHAPES, SHAPES)
PADDINGS = st.builds(Padding, SEEDS, SHAPES, *[st.integers(0, 149)] * 4)
GATHERINGS = st.builds(
    Gathering,
    SEEDS,
    SHAPES,
    size=st.sampled_from([8, 16, 24, 33]),
    # of its own scale, of whole multiples, and any
    step=st.one_of(st.sampled_from([1.0, 2.0, 3.0]), st.floats(0.3, 5.0)),
    angle=ANGLES,
    fractions=st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=1, max_size=5),
)
WARPINGS = st.builds(
    Warping,
    SEEDS,
    SHAPES,
    target=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    angle=ANGLES,
    step=st.floats(0.2, 12.0),
    stretch=st.floats(0.7, 1.4),
    corner=st.tuples(st.floats(-200, 300), st.floats(-200, 300)),
)


def share_apart(device: CudaDevice, step: float, angle: float) -> tuple[float, float]:
    """The shares of pixels that are a level apart, in patches and in a warped image of this step and angle."""
    image = levels(3, 200, 220)
    centres = np.random.default_rng(3).uniform(40, 160, (60, 2))
    expected, patches = np.empty((60, 24, 24), np.uint8), device.empty(60, 24, 24)
    CpuDevice().gather(image, centres, 24 * step, expected, angle)
    device.gather(device.upload(image), centres, 24 * step, patches, angle)
    gathered = float((device.download(patches) != expected).mean())
    cos, sin = step * math.cos(angle), step * math.sin(angle)
    matrix = np.array([[cos, -sin, 17.31], [sin, cos, 22.87]])
    target, warped = np.empty((120, 130), np.uint8), device.empty(120, 130)
    CpuDevice().warp(image, matrix, target)
    device.warp(device.upload(image), matrix, warped)
    return gathered, float((device.download(warped) != target).mean())
