import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simulator.coco import CocoWriter, column_runs
from simulator.defects.defect import Defect
from simulator.defects.mark import Kind
from simulator.render import Rendered
from training.labels.coco import read_coco
from training.masks.coco import read_coco_masks

SCRATCH = Defect(Kind.SCRATCH, (3, 5), np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool), 9.126)
BURR = Defect(Kind.BURR, (0, 0), np.array([[1, 0], [1, 1], [0, 1]], bool), 30.0)
GOOD = Rendered(
    image=np.full((12, 16), 80, np.uint8),
    xy_sensor_px=np.array([[4.0, 5.0], [9.0, 6.5]]),
    state=np.array([2, 1], np.int8),
    box_xywh_sensor_px=(1.0, 2.0, 12.0, 8.0),
    family="plate",
    attributes={},
)


def written(folder: Path, frames: list[Rendered], *, has_defects: bool = True) -> Path:
    writer = CocoWriter("plate", ("a", "b"), "datumd render", has_defects=has_defects)
    (folder / "images").mkdir(parents=True)
    for index in reversed(range(len(frames))):  # as they may come from several processes
        writer.add(index, f"{index}.png", index, frames[index])
        cv2.imwrite(str(folder / "images" / f"{index}.png"), frames[index].image)
    writer.write(folder / "annotations.json")
    return folder


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_run_lengths_go_down_the_columns_and_begin_with_what_is_not_in_the_mask(mask: np.ndarray) -> None:
    runs = column_runs(mask)
    values = np.arange(len(runs)) % 2 == 1
    assert (np.repeat(values, runs).reshape(mask.shape, order="F") == mask).all()
    assert all(run > 0 for run in runs[1:])


def test_each_defect_is_an_annotation_of_its_kind_with_an_exact_mask(tmp_path: Path) -> None:
    bad = replace(GOOD, defects=(BURR, SCRATCH))
    truth = json.loads((written(tmp_path / "set", [GOOD, bad, bad]) / "annotations.json").read_text())
    assert [(c["id"], c["name"]) for c in truth["categories"]] == [
        (1, "plate"),
        (2, "scratch"),
        (3, "dent"),
        (4, "stain"),
        (5, "burr"),
    ]
    said = [(entry["id"], entry["image_id"], entry["category_id"]) for entry in truth["annotations"]]
    assert said == [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 2, 5), (5, 2, 2), (6, 3, 5), (7, 3, 2)]
    burr, scratch = truth["annotations"][3:5]
    assert scratch["segmentation"]["size"] == [12, 16]
    assert scratch["segmentation"]["counts"] == [3 * 12 + 5, 1, 11, 2, 11, 1, 11, 1, 16 * 12 - (6 * 12 + 7)]
    assert burr["segmentation"]["counts"][:2] == [0, 2], "begins with the first pixel"
    assert (scratch["bbox"], scratch["area"], scratch["levels"]) == ([3, 5, 4, 2], 5, 9.13)
    assert (burr["bbox"], burr["area"]) == ([0, 0, 2, 3], 4)


def test_defects_do_not_disturb_who_reads_keypoints(tmp_path: Path) -> None:
    bad = replace(GOOD, defects=(BURR, SCRATCH))
    plain = written(tmp_path / "plain", [GOOD, GOOD], has_defects=False)
    marked = written(tmp_path / "marked", [bad, GOOD])
    without, with_defects = (read_coco(path / "annotations.json", path / "images") for path in (plain, marked))
    assert with_defects.keypoints == without.keypoints
    assert with_defects.name == without.name
    for one, other in zip(with_defects.parts, without.parts, strict=True):
        assert one.annotation == other.annotation
        assert (one.xy_sensor_px == other.xy_sensor_px).all()
    assert len(json.loads((plain / "annotations.json").read_text())["categories"]) == 1


def test_the_masks_are_read_back_as_they_were_drawn(tmp_path: Path) -> None:
    bad = replace(GOOD, defects=(BURR, SCRATCH))
    folder = written(tmp_path / "set", [GOOD, bad])
    samples = read_coco_masks(folder / "annotations.json", folder / "images")
    assert samples.kinds == ("", "burr+scratch")
    assert not samples.load(0).mask.any()
    assert (samples.load(1).mask == BURR.on((12, 16)) | SCRATCH.on((12, 16))).all()


def test_a_set_of_no_image_can_be_written(tmp_path: Path) -> None:
    truth = json.loads((written(tmp_path / "set", []) / "annotations.json").read_text())
    assert truth["annotations"] == []
    assert len(truth["categories"]) == 5
