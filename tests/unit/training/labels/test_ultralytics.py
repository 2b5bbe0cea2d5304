from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
import yaml

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE, Dataset, Part
from training.labels.ultralytics import read_ultralytics
from training.labels.ultralytics_writer import ultralytics_files

YAML = """path: ../somewhere
train: images/train
val: images/val
kpt_shape: [3, 3]
flip_idx: [1, 0, 2]
names:
  0: clip
  1: hinge
kpt_names:
  0: [left, right, hole]
"""
LINE = "0 0.5 0.5 0.5 0.25 0.25 0.5 2 0.75 0.5 1.000 0 0 0"


# As docs.ultralytics.com/datasets/pose and the coco8-pose set have it.
GENUINE_YAML = """# Ultralytics AGPL-3.0 License - https://ultralytics.com/license

# Train/val/test sets as 1) dir: path/to/imgs, 2) file: path/to/imgs.txt, or 3) list: [path/to/imgs1, path/to/imgs2, ..]
path: coco8-pose # dataset root dir
train: images/train # train images (relative to 'path') 4 images
val: images/val # val images (relative to 'path') 4 images
test: # test images (optional)

# Keypoints
kpt_shape: [3, 3] # number of keypoints, number of dims (2 for x,y or 3 for x,y,visible)
flip_idx: [0, 2, 1]

# Classes
names:
  0: person

# Keypoint names per class
kpt_names:
  0:
    - nose
    - left_eye
    - right_eye

# Download script/URL (optional)
download: https://github.com/ultralytics/assets/releases/download/v0.0.0/coco8-pose.zip
"""
GENUINE_LINE = (
    "0 0.500000 0.250000 0.250000 0.125000 0.515625 0.312500 2.000000 0.531250 0.291667 1.000000 "
    "0.000000 0.000000 0.000000\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        file = tmp_path / "images" / "train" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.zeros((48, 64), np.uint8))
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text(LINE + "\n\n" + LINE + "\n")
    (tmp_path / "data.yaml").write_text(YAML)
    return tmp_path


def test_a_set_is_read(folder: Path) -> None:
    found = read_ultralytics(folder, folder / "images")
    assert (found.dataset.name, found.dataset.keypoints) == ("clip", ("left", "right", "hole"))
    assert [part.annotation for part in found.dataset.parts] == [1, 2]
    part = found.dataset.parts[0]
    assert part.state.tolist() == [VISIBLE, HIDDEN, MISSING]
    assert part.xy_sensor_px[:2].tolist() == [[15.5, 23.5], [47.5, 23.5]]
    assert np.isnan(part.xy_sensor_px[2]).all()
    assert part.box == (16.0, 18.0, 32.0, 12.0)
    assert found.notes == ("1 images have no labels and are left out", "in a mirror change over: left and right")


def test_without_v_all_are_visible_but_those_at_the_corner(folder: Path) -> None:
    (folder / "data.yaml").write_text("kpt_shape: [3, 2]\nnames: [clip]\n")
    (folder / "labels/train/a.txt").write_text("0 0.5 0.5 0.5 0.25 0.25 0.5 0 0 0.75 0")
    found = read_ultralytics(folder / "data.yaml", folder / "images/train")
    assert found.dataset.parts[0].state.tolist() == [VISIBLE, MISSING, VISIBLE]
    assert found.dataset.keypoints == ("keypoint_0", "keypoint_1", "keypoint_2")


def test_without_v_what_lies_below_0_is_missing_as_it_is_to_ultralytics(folder: Path) -> None:
    (folder / "data.yaml").write_text("kpt_shape: [3, 2]\nnames: [clip]\n")
    (folder / "labels/train/a.txt").write_text("0 0.5 0.5 0.5 0.25 0.25 0.5 -0.001 0.5 0.75 0.5")
    (part,) = read_ultralytics(folder / "data.yaml", folder / "images/train").dataset.parts
    assert part.state.tolist() == [VISIBLE, MISSING, VISIBLE]
    assert np.isnan(part.xy_sensor_px[1]).all()


def test_a_set_as_ultralytics_publishes_them_is_read(folder: Path) -> None:
    (folder / "data.yaml").write_text(GENUINE_YAML)
    (folder / "labels/train/a.txt").write_text(GENUINE_LINE)
    found = read_ultralytics(folder, folder / "images/train")
    assert (found.dataset.name, found.dataset.keypoints) == ("person", ("nose", "left_eye", "right_eye"))
    (part,) = found.dataset.parts
    assert part.state.tolist() == [VISIBLE, HIDDEN, MISSING]
    assert part.xy_sensor_px[:2] == pytest.approx(np.array([[32.5, 14.5], [33.5, 13.5]]), abs=1e-4)
    assert part.box == (24.0, 9.0, 16.0, 6.0)
    assert "in a mirror change over: left_eye and right_eye" in found.notes


def test_what_is_written_passes_the_checks_of_ultralytics(folder: Path) -> None:
    """Those of verify_image_label and check_det_dataset in ultralytics/data, on the file as they read it."""
    (folder / "data.yaml").write_text(GENUINE_YAML)
    (folder / "labels/train/a.txt").write_text(GENUINE_LINE)
    dataset = read_ultralytics(folder, folder / "images").dataset
    files = ultralytics_files(dataset, folder / "images", [("left_eye", "right_eye")]).files
    (label,) = (name for name in files if name.suffix == ".txt")
    assert str(label) == str(Path("images/train/a.png").with_suffix(".txt")).replace("images/", "labels/")
    settings = yaml.safe_load(files[PurePosixPath("data.yaml")])
    assert (settings["kpt_shape"], settings["names"], settings["flip_idx"]) == ([3, 3], {0: "person"}, [0, 2, 1])
    assert settings["kpt_names"] == {0: ["nose", "left_eye", "right_eye"]}
    assert {"train", "val"} <= set(settings)
    rows = np.array([line.split() for line in files[label].splitlines()], np.float32)
    assert rows.shape == (1, 5 + 3 * 3)
    points = rows[:, 5:].reshape(-1, 3)
    assert points[:, :2].max() <= 1.0
    assert rows.min() >= 0.0
    assert points[:, 2].tolist() == [2.0, 1.0, 0.0]
    assert rows == pytest.approx(np.array([GENUINE_LINE.split()], np.float32), abs=1e-6)


def test_images_in_a_folder_of_another_name(folder: Path) -> None:
    (folder / "images").rename(folder / "photos")
    assert len(read_ultralytics(folder, folder / "photos").dataset.parts) == 2


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("labels/train/a.txt", LINE + " 7", "a.txt: line 1: 15 numbers; allowed: 14"),
        ("labels/train/a.txt", "\n" + LINE.replace("0.75", "O.75"), "a.txt: line 2: is not all numbers"),
        ("labels/train/a.txt", LINE.replace("0.75 0.5 1.000", "0.75 0.5 3"), "a.txt: line 1: v is 0, 2, 3"),
        (
            "labels/train/a.txt",
            LINE.replace("0.25 0.5 2", "1.25 0.5 2"),
            "line 1: keypoint left is visible at [80.0, 24.0]",
        ),
        ("labels/train/a.txt", "5" + LINE[1:], "a.txt: line 1: class 5; allowed: a number of names"),
        ("labels/train/a.txt", LINE + "\n1" + LINE[1:], "a.txt: line 2: a second class, 'hinge'"),
        ("labels/train/a.txt", LINE.replace("0.5 0.25", "0.5 0", 1), "line 1: bbox"),
        ("labels/train/c.txt", LINE, "c.txt: there is no image for these labels"),
        ("data.yaml", YAML.replace("[3, 3]", "[3, 4]"), "data.yaml: is no data.yaml of a pose set"),
        ("data.yaml", YAML.replace("names:\n  0", "nomes:\n  0"), "data.yaml: is no data.yaml"),
        ("data.yaml", YAML.replace("[left, right, hole]", "[left, right]"), "kpt_names does not name 3 keypoints"),
        ("data.yaml", YAML.replace("[1, 0, 2]", "[1, 2, 0]"), "flip order [1, 2, 0]"),
        ("data.yaml", "a: &a [1]\nb: [*a, *a]", "it has *references"),
        ("data.yaml", "a: 2020-13-45", "data.yaml: is no data.yaml"),
        ("data.yaml", "[" * 5000, "it is nested too deep"),
        ("data.yaml", "a: !!python/object/apply:os.getcwd []", "data.yaml: is no data.yaml"),
    ],
)
def test_a_bad_set_is_refused_with_the_place(folder: Path, file: str, text: str, says: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(DataError) as refused:
        read_ultralytics(folder, folder / "images")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_format_cannot_say_is_counted(folder: Path) -> None:
    image = folder / "images" / "train" / "a.png"
    xy = np.array([[10.0, 10.0], [-4.0, 10.0], [90.0, 10.0]])
    part = Part(image, (64, 48), xy, np.array([VISIBLE, HIDDEN, MISSING], np.int8), (-8.0, 4.0, 40.0, 20.0), 1)
    written = ultralytics_files(Dataset(("a", "b", "c"), (part,)), folder / "images")
    assert written.notes == (
        "2 keypoints outside of their image became missing: the format has no place for them",
        "1 boxes were cut at the edge of their image",
    )
    for path, text in written.files.items():
        (folder / path).write_text(text)
    back = read_ultralytics(folder, folder / "images").dataset.parts[0]
    assert back.state.tolist() == [VISIBLE, MISSING, MISSING]
    assert back.box == pytest.approx((0.0, 4.0, 32.0, 20.0))
    assert "flip_idx" not in (folder / "data.yaml").read_text()


def test_images_that_would_share_a_label_file_are_refused(folder: Path) -> None:
    state = np.array([VISIBLE], np.int8)
    parts = []
    for number, name in enumerate(("a.png", "a.jpg")):
        cv2.imwrite(str(folder / name), np.zeros((48, 64), np.uint8))
        parts.append(Part(folder / name, (64, 48), np.array([[9.0, 9.0]]), state, (1, 1, 9, 9), number))
    with pytest.raises(DataError, match="would share"):
        ultralytics_files(Dataset(("a",), tuple(parts)), folder)


def test_a_box_that_would_be_written_as_empty_is_refused(folder: Path) -> None:
    (folder / "labels/train/a.txt").write_text(LINE.replace("0.5 0.25", "0.5 1e-12", 1))
    with pytest.raises(DataError, match=r"line 1: bbox .* is empty"):
        read_ultralytics(folder, folder / "images")
