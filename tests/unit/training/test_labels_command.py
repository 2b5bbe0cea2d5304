import argparse
import json
from pathlib import Path

import cv2
import pytest

from pipeline.errors import DataError
from training import labels_command
from training.labels.coco import read_coco


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    labels_command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["labels", *map(str, words)])
    return int(args.run(args))


@pytest.mark.parametrize("tool", ["cvat", "ultralytics"])
def test_labels_come_back_from_another_tool(square_set: Path, tmp_path: Path, tool: str) -> None:
    images, there, back = square_set.parent / "images", square_set.parent / "there", tmp_path / "back.json"
    run("export", "--to", tool, "--coco", square_set, "--images", images, "--out", there)
    if tool == "ultralytics":
        images = images.rename(there / "images")
    run("import", "--from", tool, there, "--images", images, "--out", back)
    if tool == "ultralytics":
        images = images.rename(square_set.parent / "images")
    truth, found = read_coco(square_set, images), read_coco(back, images)
    assert found.keypoints == truth.keypoints
    for one, other in zip(found.parts, truth.parts, strict=True):
        assert one.state.tolist() == other.state.tolist()
        assert one.xy_sensor_px == pytest.approx(other.xy_sensor_px, abs=1e-4)
        assert one.box == pytest.approx(other.box, abs=1e-4)


def test_nothing_is_overwritten(square_set: Path, tmp_path: Path) -> None:
    images = square_set.parent / "images"
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "annotations.xml").write_text("mine")
    with pytest.raises(DataError, match="is there already; allowed: a new or an empty folder"):
        run("export", "--to", "cvat", "--coco", square_set, "--images", images, "--out", kept)
    with pytest.raises(DataError, match="is there already; allowed: a new file"):
        run("import", "--from", "cvat", kept, "--images", images, "--out", square_set)
    with pytest.raises(DataError, match="is there already"):
        run("check", "--coco", square_set, "--images", images, "--out", kept)
    assert (kept / "annotations.xml").read_text() == "mine"


def test_bad_labels_leave_nothing_behind(square_set: Path, tmp_path: Path) -> None:
    coco = json.loads(square_set.read_text())
    coco["annotations"][5]["keypoints"][0] = 1e6
    square_set.write_text(json.dumps(coco))
    images = square_set.parent / "images"
    with pytest.raises(DataError, match=r"annotation 6 of 005\.png"):
        run("export", "--to", "cvat", "--coco", square_set, "--images", images, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_check_tells_and_draws_what_is_suspicious(
    square_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco = json.loads(square_set.read_text())
    coco["annotations"].append({**coco["annotations"][3], "id": 99})
    coco["annotations"][6]["keypoints"][3:5] = [150.0, 20.0]
    coco["annotations"][9]["keypoints"] = [0, 0, 0, *coco["annotations"][9]["keypoints"][3:]]
    square_set.write_text(json.dumps(coco))
    run("check", "--coco", square_set, "--images", square_set.parent / "images", "--out", tmp_path / "out")
    said = capsys.readouterr().out
    assert "square: 17 parts in 16 images, 3 keypoints" in said
    assert "upper_left                     16        0        1" in said
    assert "003.png, annotation 4: annotation 99 is 100% of the same box" in said
    assert "006.png, annotation 7: upper_right is outside of the part's box" in said
    for name in ("labels.png", "suspicious.png"):
        picture = cv2.imread(str(tmp_path / "out" / name))
        assert picture is not None
        assert picture.shape[1] == 1600
    assert (cv2.imread(str(tmp_path / "out" / "suspicious.png")) == (60, 60, 255)).all(2).any()


def test_check_says_where_it_could_not_look(square_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("check", "--coco", square_set, "--images", square_set.parent / "images")
    run(*arguments)
    assert "not looked at" not in capsys.readouterr().out
    coco = json.loads(square_set.read_text())
    for annotation in coco["annotations"]:
        annotation["keypoints"][2] = 1
    square_set.write_text(json.dumps(coco))
    run(*arguments)
    assert "8 parts on which 3 keypoints are visible, here are 0" in capsys.readouterr().out


def test_a_wrong_size_is_told(square_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco = json.loads(square_set.read_text())
    coco["images"][2].update(width=384, height=320)
    square_set.write_text(json.dumps(coco))
    run("check", "--coco", square_set, "--images", square_set.parent / "images")
    assert "002.png, annotation 3: the image is 192 x 160, the labels are for 384 x 320" in capsys.readouterr().out
