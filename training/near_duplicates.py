"""Images that show the same thing twice: frames of one burst, a copy, the same picture saved anew.

In training and in test they would make the test a test of memory. Frames of a fixed camera look alike as a whole and
parts of a kind look alike in the same pose, so the regions of the parts are compared, by what they differ in from the
mean of the set, and the labels must agree as well.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import plain_file
from pipeline.errors import DataError
from training.data import Dataset, Part

SIDE = 32  # px of a thumbnail
ALIKE = (0.92, 0.96, 0.98, 0.99, 0.995)  # correlation of thumbnails, the strictest last
CERTAIN = 0.98  # from here on the labels need not agree: one of them is wrong
LABELS_AGREE = 0.05  # largest difference between keypoints, in shares of the part's extent
WHOLE_FRAME = 0.9  # a box with this share of the image says nothing of where the part is
_AROUND = 0.25  # of the keypoints' extent is then put around them
_LARGEST_SHARE, _LARGEST_COUNT = 1 / 3, 8  # of the images in one group, before "alike" has to mean more
_BLOCK = 512  # rows of the table of correlations at a time
_SENSIBLE_SIDE = 512  # px of the shorter side that a decoder need not go below
_LARGEST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Pair:
    """Two parts on different images that look alike; ``a`` and ``b`` index ``Dataset.parts``.

    Attributes:
        alike: correlation of their thumbnails about the mean of the set, 1 at most.
        apart: largest difference of their keypoints in shares of the part's extent; NaN where none is in both.
    """

    a: int
    b: int
    alike: float
    apart: float


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """What `find` found.

    Attributes:
        groups: (images,) a number for every image of ``Dataset.images``; near-duplicates share it.
        pairs: what tied images together, but for files of the same bytes.
        alike: the correlation that was asked for in the end.
    """

    groups: NDArray[np.int64]
    pairs: tuple[Pair, ...]
    alike: float


def groups(dataset: Dataset) -> NDArray[np.int64]:
    """A number for every image of ``dataset.images``, the same for near-duplicates; see `find`."""
    return find(dataset).groups


def find(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> NearDuplicates:
    """Find near-duplicate images. A chain of near-duplicates is one group.

    Two images belong together if the files are the same, byte for byte, or a part of one and a part of the other look
    alike. Where more than a third of the images would fall into one group, alike is taken to mean more.

    Args:
        dataset: the labelled set.
        progress: is told how many images of how many are read.

    Raises:
        DataError: an image cannot be decoded.
    """
    thumbnails, contents = _thumbnails(dataset, progress)
    pairs = list(_alike(dataset, thumbnails))
    image_of_part = {image: number for number, image in enumerate(dataset.images)}
    images = [image_of_part[part.image] for part in dataset.parts]
    same = _same(contents)
    largest = max(_LARGEST_COUNT, round(_LARGEST_SHARE * len(contents)))
    for limit in ALIKE:
        chosen = [pair for pair in pairs if _belong(pair, limit)]
        found = _components(len(contents), [*same, *((images[pair.a], images[pair.b]) for pair in chosen)])
        if np.bincount(found).max() <= largest:
            break
    return NearDuplicates(found, tuple(chosen), limit)


def region_of_interest(part: Part) -> tuple[float, float, float, float]:
    """The part's box, or the surroundings of its keypoints where the box is the whole frame: x, y, w, h, corners."""
    wide, high = part.box[2:]
    known = part.xy_sensor_px[np.isfinite(part.xy_sensor_px).all(1)] + 0.5
    if wide * high < WHOLE_FRAME * part.image_wh[0] * part.image_wh[1] or len(known) < 2:
        return part.box
    low, extent = known.min(0), np.ptp(known, axis=0)
    margin = max(_AROUND * float(extent.max()), 4.0)
    return (
        float(low[0]) - margin,
        float(low[1]) - margin,
        float(extent[0]) + 2 * margin,
        float(extent[1]) + 2 * margin,
    )


def _belong(pair: Pair, limit: float) -> bool:
    return pair.alike >= limit and (pair.apart <= LABELS_AGREE or pair.alike >= max(limit, CERTAIN))


def _thumbnails(
    dataset: Dataset, progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.float32], list[bytes]]:
    """Of every part (N, SIDE · SIDE), of mean 0, and a hash of every image's bytes."""
    by_image: dict[Path, list[int]] = {}
    for index, part in enumerate(dataset.parts):
        by_image.setdefault(part.image, []).append(index)
    table = np.empty((len(dataset.parts), SIDE * SIDE), np.float32)

    def one(image: Path) -> bytes:
        content = plain_file.read(image, _LARGEST_BYTES, DataError)
        parts = by_image[image]
        reduced = _decoded(content, dataset.parts[parts[0]])
        for index in parts:
            table[index] = _thumbnail(reduced, dataset.parts[index]).ravel()
        return hashlib.blake2b(content, digest_size=16).digest()

    hashes = []
    with ThreadPoolExecutor(2) as pool:
        for done, content in enumerate(pool.map(one, dataset.images), 1):
            hashes.append(content)
            if progress is not None:
                progress(done, len(by_image))
    table -= table.mean(1, keepdims=True)
    return table, hashes


def _decoded(content: bytes, part: Part) -> NDArray[np.uint8]:
    """Grey levels, no larger than they need be: a JPEG is decoded to a half, a quarter or an eighth of its size."""
    reduced = {8: cv2.IMREAD_REDUCED_GRAYSCALE_8, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2}
    box = region_of_interest(part)
    share = min(1.0, max(box[2] / part.image_wh[0], box[3] / part.image_wh[1]))
    spare = min(part.image_wh) * share / (_SENSIBLE_SIDE / 4)
    factor = next((by for by in reduced if by <= spare), 1)
    is_jpeg = content.startswith(b"\xff\xd8")  # others would be decoded whole and then resized
    flag = reduced[factor] if is_jpeg and factor > 1 else cv2.IMREAD_GRAYSCALE
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise DataError("cannot be decoded", where=str(part.image), allowed="png, jpg, bmp, tif of 8 bits")
    return np.asarray(image, np.uint8)


def _thumbnail(image: NDArray[np.uint8], part: Part) -> NDArray[np.float32]:
    scale_x, scale_y = image.shape[1] / part.image_wh[0], image.shape[0] / part.image_wh[1]
    x, y, wide, high = region_of_interest(part)
    fine = SIDE * max(1, min(8, math.ceil(max(wide * scale_x, high * scale_y) / SIDE)))
    per_x, per_y = fine / (wide * scale_x), fine / (high * scale_y)
    matrix = np.array(
        [
            [per_x, 0.0, (0.5 - x * scale_x) * per_x - 0.5],
            [0.0, per_y, (0.5 - y * scale_y) * per_y - 0.5],
        ]
    )
    cut = cv2.warpAffine(image, matrix, (fine, fine), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _alike(dataset: Dataset, thumbnails: NDArray[np.float32]) -> Iterator[Pair]:
    """Every pair of parts on different images whose thumbnails reach the least of ALIKE."""
    unit = _unit(thumbnails)
    if len(unit) > 2:  # two thumbnails are each other's opposite about their mean
        unit = _unit(unit - unit.mean(0))
    regions = np.array([region_of_interest(part) for part in dataset.parts])
    extent = regions[:, 2:].max(1)
    xy = np.stack([part.xy_sensor_px for part in dataset.parts]) + 0.5
    relative = (xy - regions[:, None, :2]) / extent[:, None, None]
    number = {image: index for index, image in enumerate(dataset.images)}
    image = np.array([number[part.image] for part in dataset.parts])
    for first in range(0, len(unit), _BLOCK):
        alike = unit[first : first + _BLOCK] @ unit[first:].T
        rows, columns = np.nonzero(alike >= ALIKE[0])
        use = (columns > rows) & (image[first + rows] != image[first + columns])
        for row, column in zip(rows[use].tolist(), columns[use].tolist(), strict=True):
            a, b = first + row, first + column
            apart = np.linalg.norm(relative[a] - relative[b], axis=1)
            apart = apart[np.isfinite(apart)]
            yield Pair(a, b, float(alike[row, column]), float(apart.max()) if len(apart) else math.nan)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)


def _same(contents: Sequence[bytes]) -> list[tuple[int, int]]:
    first: dict[bytes, int] = {}
    return [(first.setdefault(content, index), index) for index, content in enumerate(contents)]


def _components(count: int, ties: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Connected components, numbered in the order of their first member."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for a, b in ties:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    roots = [root(index) for index in range(count)]
    number = {value: index for index, value in enumerate(dict.fromkeys(roots))}
    return np.array([number[value] for value in roots], np.int64)
