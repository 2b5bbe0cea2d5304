from pathlib import Path

import msgspec
import numpy as np
import pytest

from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import Augment, Method, load_method
from training.samples import CoarseSamples, shuffled

ALL = np.arange(16)


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


def test_every_epoch_takes_every_part_once() -> None:
    parts = np.arange(100, 110)
    taken = np.concatenate([shuffled(parts, 0, 1, step, 4) for step in range(5)])
    assert sorted(taken[:10]) == sorted(taken[10:]) == parts.tolist()
    assert taken[:10].tolist() != taken[10:].tolist()


def test_a_batch_depends_on_seed_and_step_alone(canvas: Canvas, method: Method) -> None:
    samples = CoarseSamples(canvas, ALL, method, 1)
    first, again, other = samples.batch(5), CoarseSamples(canvas, ALL, method, 1).batch(5), samples.batch(6)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["image"], other["image"])


def test_what_is_erased_is_no_longer_visible(canvas: Canvas, method: Method) -> None:
    def hidden(share: float) -> int:
        vary = msgspec.structs.replace(method, augment=Augment(erase=share, shift=0.0, scale=0.0, rotation_deg=0.0))
        samples = CoarseSamples(canvas, ALL, vary, 1)
        return sum(int((~samples.batch(step)["visible"]).sum()) for step in range(12))

    assert hidden(0.0) == 15  # the missing corner of every third part, three epochs
    assert hidden(1.0) > 16
