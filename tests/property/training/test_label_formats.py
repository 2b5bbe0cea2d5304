"""Written and read again, labels keep their names, their order, their states, and positions to the format's decimals."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data import HIDDEN, MISSING, VISIBLE, Dataset, Part
from training.labels.coco import read_coco
from training.labels.coco_writer import coco_bytes
from training.labels.cvat import read_cvat
from training.labels.cvat_writer import cvat_bytes
from training.labels.ultralytics import read_ultralytics
from training.labels.ultralytics_writer import ultralytics_files

names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)
SIZES = ((64, 48), (37, 91), (1000, 3))


@dataclass
class Bench:
    """A folder of images, and a set that labels them."""

    folder: Path
    dataset: Dataset

    @property
    def images(self) -> Path:
        return self.folder / "images"


@st.composite
def parts(draw: st.DrawFn, count: int, image: Path, wh: tuple[int, int], annotation: int) -> Part:
    inside = st.tuples(st.floats(0, wh[0]), st.floats(0, wh[1]))
    states = draw(st.lists(st.sampled_from((VISIBLE, HIDDEN, MISSING)), min_size=count, max_size=count))
    corners = np.array(draw(st.lists(inside, min_size=count, max_size=count)))
    corners = np.round(corners, 4)
    for k in range(count):
        if states[k] == MISSING and (draw(st.booleans()) or not corners[k].any()):
            corners[k] = np.nan
    if not np.isfinite(corners).any():
        states[0], corners[0] = VISIBLE, (1.0, 2.0)
    x, y = draw(st.floats(0, wh[0] - 1)), draw(st.floats(0, wh[1] - 1))
    box = (x, y, draw(st.floats(0.01, wh[0] - x)), draw(st.floats(0.01, wh[1] - y)))
    return Part(image, wh, corners - 0.5, np.array(states, np.int8), box, annotation)


@st.composite
def sets(draw: st.DrawFn) -> Callable[[Path], Dataset]:
    keypoints = tuple(draw(st.lists(names, min_size=1, max_size=5, unique=True)))
    name = draw(names)
    files = draw(st.lists(st.sampled_from(("a.png", "b b.png", "c/d.png", "im/e&.png")), min_size=1, unique=True))
    of_images = [(file, draw(st.sampled_from(SIZES)), draw(st.integers(1, 3))) for file in sorted(files)]
    drawn = [draw(parts(len(keypoints), Path(file), wh, 0)) for file, wh, count in of_images for _ in range(count)]

    def at(folder: Path) -> Dataset:
        placed = [
            Part(folder / "images" / part.image, part.image_wh, part.xy_sensor_px, part.state, part.box, index)
            for index, part in enumerate(drawn, 1)
        ]
        placed.sort(key=lambda part: part.image)
        for image, wh in {part.image: part.image_wh for part in placed}.items():
            image.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(image), np.zeros((wh[1], wh[0]), np.uint8))
        return Dataset(keypoints, tuple(placed), name)

    return at


def assert_same(found: Dataset, truth: Dataset, xy_px: float, box_px: float) -> None:
    assert (found.keypoints, found.name) == (truth.keypoints, truth.name)
    assert [part.image for part in found.parts] == [part.image for part in truth.parts]
    for one, other in zip(found.parts, truth.parts, strict=True):
        assert one.image_wh == other.image_wh
        assert one.state.tolist() == other.state.tolist()
        np.testing.assert_allclose(one.xy_sensor_px, other.xy_sensor_px, rtol=0, atol=xy_px)
        assert one.box == pytest.approx(other.box, abs=box_px, rel=0)


few = settings(max_examples=25, deadline=None)


@few
@given(sets())
def test_coco(at: Callable[[Path], Dataset]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = at(folder)
        (folder / "a.json").write_bytes(coco_bytes(truth, folder / "images"))
        found = read_coco(folder / "a.json", folder / "images")
        assert_same(found, truth, 1e-12, 0.0)
        assert coco_bytes(found, folder / "images") == (folder / "a.json").read_bytes()


@few
@given(sets())
def test_cvat(at: Callable[[Path], Dataset]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = at(folder)
        (folder / "a.xml").write_bytes(cvat_bytes(truth, folder / "images"))
        assert_same(read_cvat(folder / "a.xml", folder / "images").dataset, truth, 0.51e-4, 1.01e-4)


@few
@given(sets(), st.integers(0, 9))
def test_ultralytics(at: Callable[[Path], Dataset], seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = at(folder)
        order = np.random.default_rng(seed).permutation(len(truth.keypoints))
        pairs = [(truth.keypoints[order[0]], truth.keypoints[order[1]])] if len(order) > 1 else []
        written = ultralytics_files(truth, folder / "images", pairs)
        assert not written.notes
        for path, text in written.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        back = read_ultralytics(folder, folder / "images")
        assert_same(back.dataset, truth, 1000 * 0.51e-8, 1000 * 1.01e-8)
        mirrored = [note for note in back.notes if "mirror" in note]
        assert bool(mirrored) == bool(pairs)
        assert not pairs or any(f"{a} and {b}" in mirrored[0] for a, b in (pairs[0], pairs[0][::-1]))
