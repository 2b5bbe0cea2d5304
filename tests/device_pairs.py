"""One device held against the processor: the same operation on both, and how far apart the grey levels may be."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import CudaDevice

Image = NDArray[np.uint8]
SIDES = st.integers(1, 150)
ANGLES = st.one_of(st.just(0.0), st.just(math.pi / 2), st.floats(-math.pi, math.pi))
SEEDS = st.integers(0, 2**32 - 1)
SIZES = {"seed": SEEDS, "source": st.tuples(SIDES, SIDES), "target": st.tuples(SIDES, SIDES)}
BORDERS = {
    "seed": SEEDS,
    "source": st.tuples(SIDES, SIDES),
    "left": SIDES,
    "top": SIDES,
    "right": SIDES,
    "bottom": SIDES,
}
PATCHES: dict[str, Any] = {
    "seed": SEEDS,
    "source": st.tuples(SIDES, SIDES),
    "size": st.sampled_from([8, 16, 24, 33]),
    # of the image px to a patch px: of its own scale, of whole multiples, and any
    "step": st.one_of(st.sampled_from([1.0, 2.0, 3.0]), st.floats(0.3, 5.0)),
    "angle": ANGLES,
    "fractions": st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=1, max_size=5),
}
MAPS: dict[str, Any] = {
    "seed": SEEDS,
    "source": st.tuples(SIDES, SIDES),
    "target": st.tuples(st.integers(1, 64), st.integers(1, 64)),
    "angle": ANGLES,
    "step": st.floats(0.2, 12.0),
    "stretch": st.floats(0.7, 1.4),
    "corner": st.tuples(st.floats(-200, 300), st.floats(-200, 300)),
}


def levels(seed: int, height: int, width: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def check_resize(device: CudaDevice, image: Image, target: tuple[int, int]) -> None:
    """To the same grey level."""
    expected, found = np.empty(target, np.uint8), device.empty(*target)
    CpuDevice().resize(image, expected)
    device.resize(device.upload(image), found)
    assert np.array_equal(device.download(found), expected)


def check_pad(device: CudaDevice, image: Image, left: int, top: int, right: int, bottom: int) -> None:
    """To the same grey level."""
    expected = np.empty((image.shape[0] + top + bottom, image.shape[1] + left + right), np.uint8)
    CpuDevice().pad(image, expected, left=left, top=top)
    found = device.empty(*expected.shape)
    device.pad(device.upload(image), found, left=left, top=top)
    assert np.array_equal(device.download(found), expected)


def check_gather(
    device: CudaDevice, image: Image, size: int, step: float, angle: float, fractions: list[tuple[float, float]]
) -> None:
    """To one grey level: OpenCV rounds ties in several ways, even within an image."""
    centres = np.array(fractions) * (image.shape[1], image.shape[0])
    expected = np.empty((len(centres), size, size), np.uint8)
    CpuDevice().gather(image, centres, step * size, expected, angle)
    found = device.empty(*expected.shape)
    device.gather(device.upload(image), centres, step * size, found, angle)
    apart = np.abs(device.download(found).astype(np.int64) - expected)
    assert apart.max() <= 1


def check_warp(
    device: CudaDevice,
    image: Image,
    target: tuple[int, int],
    angle: float,
    step: float,
    stretch: float,
    corner: tuple[float, float],
) -> None:
    """To one grey level, likewise."""
    cos, sin = step * math.cos(angle), step * math.sin(angle)
    image_from_target = np.array([[cos, -sin * stretch, corner[0]], [sin, cos * stretch, corner[1]], [0.0, 0.0, 1.0]])
    expected, found = np.empty(target, np.uint8), device.empty(*target)
    CpuDevice().warp(image, image_from_target, expected)
    device.warp(device.upload(image), image_from_target, found)
    apart = np.abs(device.download(found).astype(np.int64) - expected)
    assert apart.max() <= 1


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
