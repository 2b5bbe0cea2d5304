"""The training images cut to the part's region once and kept as raw pixels, so that epochs cost no decoding."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.errors import DataError
from training.data import Dataset, Part
from training.disk import writing
from training.method import ViewShape
from training.shapes import poses

Region = tuple[float, float, float, float]


@dataclass(frozen=True)
class Canvas:
    """All parts at the scale of the large image, each with ``context`` times the region's size around its centre.

    Attributes:
        large: uint8 (N, Hc, Wc), memory-mapped.
        medium: uint8 (N, Hm, Wm), the same at twice the scale of the small image.
        xy_canvas_px: (N, K, 2) float32, every keypoint; where the labels give none, where the mean shape puts it.
        known: (N, K) bool, the labels give a position.
        state: (N, K) int8, 2 visible, 1 hidden, 0 missing.
        large_px_per_sensor_px: (N,).
        large_offset: canvas px of the large image's corner pixel, x and y.
    """

    large: NDArray[np.uint8]
    medium: NDArray[np.uint8]
    xy_canvas_px: NDArray[np.float32]
    known: NDArray[np.bool_]
    state: NDArray[np.int8]
    large_px_per_sensor_px: NDArray[np.float64]
    large_offset: tuple[float, float]

    @property
    def medium_per_large(self) -> float:
        """Scale from large to medium, a power of two below 1 (or 2, 1)."""
        return float(self.medium.shape[2] / self.large.shape[2])

    def region(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """What ``large`` or ``medium`` show of the parts' regions, and the pixel x, y of it that comes first.

        It is all that the pipeline's large image has: whatever is cut from that repeats its edges, and so must what is
        cut here, or a network would learn from surroundings that it never meets.

        Returns:
            A view (N, H, W) of the images, which are taken out of the memory map by it, and its corner.
        """
        per_large = images.shape[2] / self.large.shape[2]
        left, top = (round(offset * per_large) for offset in self.large_offset)
        return np.asarray(images)[:, top : images.shape[1] - top, left : images.shape[2] - left], (left, top)


def region_of(part: Part, view: ViewShape) -> Region:
    """The region x, y, width, height (sensor px, corner convention) that stands for locate in training."""
    locate = view.locate
    if locate.blob is None:
        nests = [locate.fixed] if locate.fixed is not None else locate.nests or []
        return max(nests, key=lambda nest: overlap(part.box, nest))
    x, y, width, height = part.box
    grow = locate.blob.margin * max(width, height)
    return x - grow, y - grow, width + 2 * grow, height + 2 * grow


def overlap(a: Region, b: Region) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (a[2] * a[3] + b[2] * b[3] - wide * high)


def to_aspect(region: Region, wh: tuple[int, int]) -> Region:
    """The region grown about its centre to the aspect of ``wh``, as the preprocess stage does it."""
    x, y, width, height = region
    wide = max(width, height * wh[0] / wh[1])
    high = wide * wh[1] / wh[0]
    return x + (width - wide) / 2, y + (height - high) / 2, wide, high


def prepare(dataset: Dataset, view: ViewShape, context: float, folder: Path) -> Canvas:
    """Cut every part of the data set into ``folder``, or take what an earlier run left there for the same input.

    Raises:
        DataError: an image cannot be decoded or is not of the size its annotation file says, or there is no room.
    """
    multiple = view.large_wh[0] // view.small_wh[0]
    size = tuple(2 * multiple * round(side * context / (2 * multiple)) for side in view.large_wh)
    reduce = multiple // 2  # large to medium
    paths = folder / "large.npy", folder / "medium.npy", folder / "canvas.key"
    key = _key(dataset, view, context)
    if not (paths[2].is_file() and paths[2].read_text() == key):
        with writing(folder):
            paths[2].unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
        count = len(dataset.parts)
        large = _empty(paths[0], (count, size[1], size[0]))
        medium = _empty(paths[1], (count, size[1] // max(reduce, 1), size[0] // max(reduce, 1)))
        _fill(dataset, view, large, medium)
        large.flush()
        medium.flush()
        paths[2].write_text(key)
    large, medium = (np.load(path, mmap_mode="r") for path in paths[:2])
    offset = ((size[0] - view.large_wh[0]) / 2, (size[1] - view.large_wh[1]) / 2)
    xy, scale = _points(dataset, view, offset)
    known = np.asarray(np.isfinite(xy).all(2))
    state = np.stack([part.state for part in dataset.parts])
    return Canvas(large, medium, fill_by_shape(xy), known, state, scale, offset)


def _key(dataset: Dataset, view: ViewShape, context: float) -> str:
    inputs = [
        (str(part.image.resolve()), part.image.stat().st_size, part.image.stat().st_mtime_ns, part.box)
        for part in dataset.parts
    ]
    return hashlib.sha256(msgspec.json.encode((inputs, view, context))).hexdigest()


def _empty(path: Path, shape: tuple[int, int, int]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array in a file, its room taken at once: a disk that fills up later would kill the process without a word."""
    with writing(path, f"the same command with --work DIR, where {np.prod(shape) / 1e9:.1f} GB are free"):
        array = open_memmap(path, "w+", np.uint8, shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _fill(dataset: Dataset, view: ViewShape, large: NDArray[np.uint8], medium: NDArray[np.uint8]) -> None:
    def one(group: list[int]) -> None:
        image = read_grey(dataset.parts[group[0]])
        for index in group:
            region = to_aspect(region_of(dataset.parts[index], view), view.large_wh)
            cut_region(image, region, view.large_wh, large[index])
            wh = medium.shape[2], medium.shape[1]
            cv2.resize(large[index], wh, medium[index], interpolation=cv2.INTER_AREA)

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(one, _by_image(dataset)):
            pass


def _by_image(dataset: Dataset) -> Iterator[list[int]]:
    group: list[int] = []
    for index, part in enumerate(dataset.parts):
        if group and part.image != dataset.parts[group[0]].image:
            yield group
            group = []
        group.append(index)
    yield group


def read_grey(part: Part) -> NDArray[np.uint8]:
    """The part's image as grey levels (H, W), as its pixels are stored: no EXIF rotation.

    Raises:
        DataError: it cannot be decoded, or its size is not the one in the annotation file.
    """
    image = read_image(part.image, colour=False, error=DataError)
    if (image.shape[1], image.shape[0]) != part.image_wh:
        raise DataError(
            f"is {image.shape[1]}x{image.shape[0]}",
            where=str(part.image),
            allowed=f"{part.image_wh[0]}x{part.image_wh[1]}, as its entry in the COCO file says",
        )
    return image


def cut_region(image: NDArray[np.uint8], region: Region, large_wh: tuple[int, int], out: NDArray[np.uint8]) -> None:
    """Write ``image`` into ``out`` at the scale that makes ``region`` ``large_wh`` px, both with the same centre."""
    scale = large_wh[0] / region[2]
    height, width = out.shape
    # corner convention throughout: canvas corner coordinates = (sensor corner - origin) * scale
    origin_x = region[0] + region[2] / 2 - width / 2 / scale
    origin_y = region[1] + region[3] / 2 - height / 2 / scale
    while scale <= 0.5:
        image = cv2.resize(
            image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2],
            None,
            fx=0.5,
            fy=0.5,
            interpolation=cv2.INTER_AREA,
        )  # type: ignore[assignment]  # OpenCV's stubs know no dtype
        scale, origin_x, origin_y = scale * 2, origin_x / 2, origin_y / 2
    shift_x, shift_y = (0.5 - origin_x) * scale - 0.5, (0.5 - origin_y) * scale - 0.5
    matrix = np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]])
    cv2.warpAffine(image, matrix, (width, height), out, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _points(
    dataset: Dataset, view: ViewShape, offset: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    xy = [to_canvas(part, view, offset, part.xy_sensor_px) for part in dataset.parts]
    scales = [view.large_wh[0] / to_aspect(region_of(part, view), view.large_wh)[2] for part in dataset.parts]
    return np.stack(xy).astype(np.float32), np.array(scales)


def to_canvas(
    part: Part, view: ViewShape, offset: tuple[float, float], xy_sensor_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points (K, 2) of the part's image on its canvas, whose ``large_offset`` is ``offset``."""
    x, y, width, _ = to_aspect(region_of(part, view), view.large_wh)
    return np.asarray((xy_sensor_px + 0.5 - (x, y)) * (view.large_wh[0] / width) - 0.5 + offset)


def distance_sensor_px(canvas: Canvas, parts: NDArray[np.int64], xy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Errors (N, K) in px of the original image; where no position is known they compare with the mean shape."""
    difference = xy - canvas.xy_canvas_px[parts]
    return np.asarray(
        np.hypot(difference[..., 0], difference[..., 1]) / canvas.large_px_per_sensor_px[parts, None], np.float64
    )


def fill_by_shape(xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put keypoints without a position (NaN) where the mean shape, turned and scaled onto the others, has them.

    Args:
        xy: (N, K, 2).

    Returns:
        The same with every NaN replaced; a keypoint that no part has is put at the middle of its part.
    """
    known = np.asarray(np.isfinite(xy).all(2))
    if known.all():
        return xy
    points = np.where(known, xy[..., 0] + 1j * xy[..., 1], 0).astype(np.complex128)
    count = known.sum(0)
    is_named = count > 0  # keypoints that some part has
    mean = points.sum(0) / np.maximum(count, 1)
    use = known & is_named
    for _ in range(3):
        a, b = poses(xy.astype(np.float64), use, np.stack((mean.real, mean.imag), axis=1))
        moved = (points - b[:, None]) / a[:, None]
        mean = np.where(known, moved, 0).sum(0) / np.maximum(count, 1)
    middle = points.sum(1) / np.maximum(known.sum(1), 1)
    filled = np.where(is_named, a[:, None] * mean + b[:, None], middle[:, None])
    filled = np.where(known, points, filled)
    return np.stack((filled.real, filled.imag), axis=2).astype(np.float32)
