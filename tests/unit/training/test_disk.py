from pathlib import Path

import pytest

from pipeline.errors import DataError
from training import checkpoint
from training.canvas import prepare
from training.checkpoint import Checkpoint
from training.disk import writing
from training.labels.coco import read_coco
from training.method import load_method

FULL = Path("/dev/full")  # every write to it finds no room


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/top: cannot be written: not a directory"), writing(tmp_path):
        (tmp_path / "file" / "top").mkdir()


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "coarse.checkpoint"
    checkpoint.save(Checkpoint({"a": 1}, step=7), path)
    path.with_suffix(".part").symlink_to(FULL)
    with pytest.raises(DataError, match="no space left"):
        checkpoint.save(Checkpoint({"a": 1}, step=8), path)
    assert checkpoint.load(path, {"a": 1}).step == 7


def test_a_full_disk_is_told_before_images_are_cut(square_set: Path, square_method: Path, tmp_path: Path) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "large.npy").symlink_to(FULL)
    with pytest.raises(DataError, match=r"large\.npy: cannot be written: .*--work DIR"):
        prepare(dataset, load_method(square_method).view, 1.0, tmp_path / "work")
