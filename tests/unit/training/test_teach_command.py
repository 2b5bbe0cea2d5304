import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DatumdError
from tests.marked_parts import NAMES, points_at, write_photographs
from training import ask_command, mark_command, teach_command
from training.labels.coco import read_coco


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for command in (teach_command, mark_command, ask_command):
        command.add_parser(subparsers)
    args = parser.parse_args([*map(str, words)])
    return int(args.run(args))


def test_one_marked_photograph_labels_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "taught"
    poses = write_photographs(photos, 4)
    words = ["--points", tmp_path / "points.json", "--by", "match", "--threads", "1", "--pictures", "2"]
    run("teach", photos, "--support", photos / "000.png", *words, "--out", out)
    dataset = read_coco(out / "confident.json", photos)
    assert (dataset.name, dataset.keypoints, len(dataset.parts)) == ("plate", NAMES, 4)
    for pose, part in zip(poses, dataset.parts, strict=True):
        assert np.hypot(*(part.xy_sensor_px - points_at(pose)).T).max() < 1.0
    assert dataset.parts[0].xy_sensor_px == pytest.approx(points_at(poses[0]), abs=1e-3)  # as it was marked
    said = capsys.readouterr().out
    assert "4 of 4 parts" in said
    assert f"datumd train --method coarse_to_fine --coco {out / 'confident.json'} --images {photos}" in said
    page = (out / "review.html").read_text()
    assert page.count("data:image/jpeg") == 2
    assert "http://" not in page
    assert "https://" not in page
    with pytest.raises(DatumdError, match="is there already"):
        run("teach", photos, "--support", photos / "000.png", *words, "--out", out)


def test_what_cannot_be_meant_ends_with_one_line(tmp_path: Path) -> None:
    photos, empty = tmp_path / "photos", tmp_path / "empty"
    write_photographs(photos, 1)
    empty.mkdir()
    first, points, out = photos / "000.png", tmp_path / "points.json", ["--out", tmp_path / "out"]
    support = ["--support", first, "--points", points]
    refused: list[tuple[list[str | Path], str]] = [
        (["teach", photos, *out], "datumd mark"),
        (["teach", photos, "--support", first, "--by", "match", *out], "datumd mark"),
        (["teach", photos, *support, *out], "datumd train --method teach"),
        (["teach", photos, "--describe", "hole: the hole", "--by", "match", *out], "--support"),
        (["teach", photos, "--describe", "hole", "--model", tmp_path, *out], "hole: the centre"),
        (["teach", photos, *support, "--model", tmp_path / "none", *out], "datumd train --method teach"),
        (["teach", empty, *support, "--by", "match", *out], "holds no images"),
        (["teach", tmp_path / "none", *support, "--by", "match", *out], "cannot be read"),
        (["teach", photos, *support, "--by", "match", "--least", "nan", *out], "0 to 1"),
        (["teach", photos, *support, "--by", "match", "--threads", "0", *out], "1 to 64"),
        (["ask", first], "--at"),
        (["ask", first, "--at", "3,4"], "datumd train --method teach"),
        (["ask", first, "--at", "3", "--model", tmp_path], "412,230"),
        (["ask", first, "--at", "nan,4", "--model", tmp_path], "320 x 240"),
        (["mark", tmp_path / "none.png", "--out", tmp_path / "mark.html"], "cannot be read"),
        (["mark", first, "--names", "a,a", "--out", tmp_path / "mark.html"], "each name once"),
    ]
    for words, told in refused:
        with pytest.raises(DatumdError, match=told):
            run(*words)
    assert not (tmp_path / "out").exists()


def test_a_broken_photograph_is_named_before_anything_is_written(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photographs(photos, 1)
    (photos / "bad.png").write_bytes((photos / "000.png").read_bytes()[:200])
    words = ["--support", photos / "000.png", "--points", tmp_path / "points.json", "--by", "match"]
    with pytest.raises(DatumdError, match=r"bad\.png"):
        run("teach", photos, *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_page_to_mark_holds_the_photograph_and_what_was_marked(tmp_path: Path) -> None:
    photos, page = tmp_path / "photos", tmp_path / "mark.html"
    write_photographs(photos, 1)
    run("mark", photos / "000.png", "--points", tmp_path / "points.json", "--names", "</script>,tip", "--out", page)
    text = page.read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert [point["name"] for point in data["points"]] == list(NAMES)
    assert (data["width"], data["height"], data["names"], data["part"]) == (320, 240, ["</script>", "tip"], "plate")
    with pytest.raises(DatumdError, match="--force"):
        run("mark", photos / "000.png", "--out", page)
