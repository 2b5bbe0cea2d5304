from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.data import VISIBLE, Dataset, Part
from training.near_duplicates import find, groups, region_of_interest

WH = (320, 240)
CORNERS = np.array([[-30, -20], [30, -20], [30, 20], [-30, 20]], float)


def scene(
    rng: np.random.Generator, turn: float, centre: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A plate with two holes on a belt with a texture of its own, and where its corners are."""
    texture = rng.normal(70, 1, (30, 40)).astype(np.float32)
    texture += cv2.resize(rng.normal(0, 14, (6, 8)).astype(np.float32), (40, 30), interpolation=cv2.INTER_CUBIC)
    image = cv2.resize(texture, WH, interpolation=cv2.INTER_CUBIC)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = CORNERS @ rotation.T + centre
    cv2.fillPoly(image, [corners.round().astype(np.int32)], 170)
    for hole in ([-15, 0], [12, 8]):
        x, y = rotation @ hole + centre
        cv2.circle(image, (round(x), round(y)), 5, 40, -1)
    return image.clip(0, 255).astype(np.uint8), corners


def part(path: Path, corners: NDArray[np.float64], annotation: int) -> Part:
    low, extent = corners.min(0) + 0.5, np.ptp(corners, axis=0)
    box = (float(low[0]), float(low[1]), float(extent[0]), float(extent[1]))
    return Part(path, WH, corners, np.full(4, VISIBLE, np.int8), box, annotation)


def shots(folder: Path, moves: list[int], *, poses: int = 14) -> Dataset:
    """Different plates; of those in ``moves`` there is a second frame, a little later."""
    rng = np.random.default_rng(5)
    parts = []
    for pose in range(poses):
        turn, centre = 0.42 * pose, (float(rng.uniform(90, 230)), float(rng.uniform(80, 160)))
        image, corners = scene(rng, turn, centre)
        frames = [(image, corners)]
        if pose in moves:
            shifted = cv2.warpAffine(image, np.array([[1, 0, 3.0], [0, 1, -2.0]]), WH, borderMode=cv2.BORDER_REPLICATE)
            frames.append((shifted, corners + np.array((3, -2))))
        for number, (pixels, xy) in enumerate(frames):
            path = folder / f"{pose:02d}_{number}.png"
            noisy = pixels + rng.normal(0, 3, pixels.shape)
            cv2.imwrite(str(path), noisy.clip(0, 255).astype(np.uint8))
            parts.append(part(path, xy, len(parts)))
    return Dataset(("a", "b", "c", "d"), tuple(parts))


def together(dataset: Dataset, found: NDArray[np.int64]) -> set[frozenset[str]]:
    names = np.array([image.stem for image in dataset.images])
    return {frozenset(names[found == group].tolist()) for group in set(found.tolist()) if (found == group).sum() > 1}


def test_frames_of_one_burst_are_together_and_others_apart(tmp_path: Path) -> None:
    dataset = shots(tmp_path, [2, 7])
    assert together(dataset, groups(dataset)) == {frozenset({"02_0", "02_1"}), frozenset({"07_0", "07_1"})}


def test_a_copy_of_a_file_is_found_whatever_its_labels(tmp_path: Path) -> None:
    dataset = shots(tmp_path, [])
    copy = tmp_path / "copy.png"
    copy.write_bytes(dataset.parts[3].image.read_bytes())
    parts = (*dataset.parts, part(copy, CORNERS + 60, 99))
    dataset = Dataset(dataset.keypoints, parts)
    assert together(dataset, groups(dataset)) == {frozenset({"03_0", "copy"})}


def test_parts_in_one_fixture_do_not_become_one_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plate, corners = scene(rng, 0.3, (160.0, 120.0))
    parts = []
    for number in range(30):
        path = tmp_path / f"{number:02d}.png"
        moved = rng.normal(0, 0.5)
        pixels = cv2.warpAffine(plate, np.array([[1, 0, moved], [0, 1, 0]]), WH, borderMode=cv2.BORDER_REPLICATE)
        cv2.imwrite(str(path), (pixels + rng.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8))
        parts.append(part(path, corners + np.array((moved, 0)), number))
    found = groups(Dataset(("a", "b", "c", "d"), tuple(parts)))
    assert np.bincount(found).max() <= 10


def test_a_box_of_the_whole_frame_gives_way_to_the_keypoints(tmp_path: Path) -> None:
    whole = Part(tmp_path / "a.png", WH, CORNERS + np.array((100, 80)), np.full(4, VISIBLE, np.int8), (0, 0, *WH), 1)
    assert region_of_interest(whole) == pytest.approx((55.5, 45.5, 90, 70))


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    dataset = shots(tmp_path, [])
    (tmp_path / "03_0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"03_0.png: cannot be decoded"):
        find(dataset)
