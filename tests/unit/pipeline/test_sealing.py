"""Sealing and qualifying recipes."""

import dataclasses
import json
import shutil
import struct
import zlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.errors import DataError, RecipeError
from pipeline.inspector import Inspector
from pipeline.lock import read_lock, write_lock
from pipeline.qualify import qualify
from pipeline.recipe import Recipe, load_recipe
from pipeline.sealing import image_files, seal
from pipeline.thresholds import Threshold, Thresholds, read_thresholds, write_thresholds
from tests.recipes import KEYPOINTS, frame_with_part, make_recipe


def relocked(folder: Path, x: float = 0.0, visibility: float = 0.0) -> Recipe:
    """The recipe with a lock in which the first keypoint lies elsewhere."""
    lock, _ = read_lock(folder)
    (reference,) = lock.views["top"].references
    (part,) = reference.parts
    first = part.keypoints[0]
    assert first.x is not None
    moved = msgspec.structs.replace(first, x=first.x + x, visibility=first.visibility + visibility)
    part = msgspec.structs.replace(part, keypoints=[moved, *part.keypoints[1:]])
    view = msgspec.structs.replace(lock.views["top"], references=[msgspec.structs.replace(reference, parts=[part])])
    write_lock(folder, msgspec.structs.replace(lock, views={"top": view}))
    return load_recipe(folder)


def test_the_backend_that_sealed_qualifies_exactly(tmp_path: Path) -> None:
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top", "side"]))
    qualification = qualify(recipe, Inspector.load(recipe))
    assert (qualification.max_px, qualification.max_probability, qualification.frames) == (0.0, 0.0, 2)


def test_a_keypoint_elsewhere_is_refused_over_the_limit(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    recipe = relocked(folder, x=0.2)
    assert qualify(recipe, Inspector.load(recipe)).max_px == pytest.approx(0.2)
    recipe = relocked(folder, x=0.1)  # 0.3 in all
    with pytest.raises(
        RecipeError, match=r"0001.png: shows a 0.300 px from its place on onnxruntime .*; allowed: 0.25 px"
    ):
        qualify(recipe, Inspector.load(recipe))


def test_another_number_of_parts_is_refused(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    recipe = load_recipe(folder)
    view = recipe.views["top"]
    (reference,) = view.references
    for parts in ([], reference.parts * 2):
        wanted = msgspec.structs.replace(reference, parts=parts)
        changed = dataclasses.replace(recipe, views={"top": dataclasses.replace(view, references=(wanted,))})
        with pytest.raises(RecipeError, match=rf"0001.png: shows 1 part\(s\) .*; allowed: {len(parts)}"):
            qualify(changed, Inspector.load(changed))


def test_another_visibility_is_refused(tmp_path: Path) -> None:
    recipe = relocked(make_recipe(tmp_path / "part", ["top"]), visibility=-0.06)
    with pytest.raises(RecipeError, match=r"0001.png: shows a with visibility 1.000"):
        qualify(recipe, Inspector.load(recipe))


def test_sealing_again_changes_nothing(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    first = (folder / "recipe.lock").read_bytes()
    seal(folder, {}, keep=1)
    assert (folder / "recipe.lock").read_bytes() == first


def test_frames_that_show_no_part_are_passed_over(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], rest="image = { grey = [5, 200] }", sealed=False)
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(6):
        image = frame_with_part(shift_px=(number, 0.0)) if number % 2 else np.zeros((256, 256), np.uint8)
        cv2.imwrite(str(frames / f"{number}.png"), image)
    sealed = seal(folder, {"top": image_files(frames)}, keep=2)
    assert [(one.parts, one.visible) for one in sealed.references] == [(1, 4), (1, 4)]
    assert len(list((folder / "top" / "reference").iterdir())) == 2
    dark = [path for path in image_files(frames) if int(path.stem) % 2 == 0]
    with pytest.raises(RecipeError, match=r"no reference frame among 3; the last one cannot be judged \(image_dark\)"):
        seal(folder, {"top": dark}, keep=2)
    load_recipe(folder)  # the former seal still holds


def test_a_frame_without_a_visible_keypoint_is_no_reference(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "0.png"), np.full((256, 256), 10, np.uint8))
    with pytest.raises(RecipeError, match="no reference frame among 1; the last one shows no visible keypoint"):
        seal(folder, {"top": image_files(frames)}, keep=1)
    cv2.imwrite(str(frames / "1.png"), frame_with_part())
    assert [one.visible for one in seal(folder, {"top": image_files(frames)}, keep=1).references] == [4]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    shutil.rmtree(folder / "top" / "reference")
    (folder / "top" / "reference").write_text("in the way")
    cv2.imwrite(str(tmp_path / "frame.png"), frame_with_part())
    with pytest.raises(RecipeError, match=r"top/reference: cannot be written \(Not a directory\)"):
        seal(folder, {"top": [tmp_path / "frame.png"]}, keep=1)
    (folder / "recipe.lock").unlink()
    (folder / "recipe.lock").mkdir()
    lock, _ = read_lock(make_recipe(tmp_path / "other", ["top"]))
    with pytest.raises(RecipeError, match=r"recipe.lock: cannot be written \(Is a directory\)"):
        write_lock(folder, lock)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_view_that_fails_leaves_the_reference_frames_of_all_views(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top", "side", "rear"])
    cv2.imwrite(str(tmp_path / "new.png"), frame_with_part(shift_px=(3.0, 0.0)))
    new = [tmp_path / "new.png"]
    shutil.rmtree(folder / "rear" / "reference")
    before = contents(folder)
    with pytest.raises(RecipeError, match="has no reference frames"):
        seal(folder, {"top": new, "side": new}, keep=1)
    assert contents(folder) == before
    (folder / "side" / ".reference.old").write_text("in the way")  # of the second swap
    before = contents(folder)
    with pytest.raises(RecipeError, match=r"side/reference: cannot be written"):
        seal(folder, {"top": new, "side": new, "rear": new}, keep=1)
    assert contents(folder) == before
    (folder / "side" / ".reference.old").unlink()
    lock = (folder / "recipe.lock").read_bytes()
    (folder / "recipe.lock").unlink()
    (folder / "recipe.lock").mkdir()
    before = contents(folder)
    with pytest.raises(RecipeError, match=r"recipe\.lock: cannot be written"):
        seal(folder, {"top": new, "side": new, "rear": new}, keep=1)
    assert {name for name in contents(folder).items() if "recipe.lock" not in name[0]} == set(before.items())
    (folder / "recipe.lock").rmdir()
    (folder / "recipe.lock").write_bytes(lock)
    seal(folder, {"top": new, "side": new, "rear": new}, keep=1)
    for view in ("top", "side", "rear"):
        assert sorted(path.name for path in (folder / view).iterdir()) == ["coarse.onnx", "reference", "refine.onnx"]
        assert cv2.imread(str(folder / view / "reference" / "0001.png"), cv2.IMREAD_UNCHANGED) is not None
    assert (folder / "top" / "reference" / "0001.png").read_bytes() != before["top/reference/0001.png"]


def test_a_view_needs_reference_frames(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top", "side"])
    shutil.rmtree(folder / "side" / "reference")
    with pytest.raises(RecipeError, match=r"has no reference frames.*; next: datumd seal .* --frames side=DIR"):
        seal(folder, {}, keep=1)
    with pytest.raises(RecipeError, match="has no view 'up'; allowed: top, side"):
        seal(folder, {"up": []}, keep=1)


def test_calibrated_thresholds_are_locked_and_used(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    limits = Thresholds(temperature=1.5, keypoint={"a": Threshold(visible_above=0.9999, hidden_below=0.25)})
    write_thresholds(folder / "top" / "visibility.toml", limits)
    seal(folder, {}, keep=1)
    recipe = load_recipe(folder)
    assert recipe.views["top"].thresholds == limits
    assert read_thresholds(folder / "top" / "visibility.toml", KEYPOINTS) == limits


def test_thresholds_of_unknown_keypoints_or_without_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "visibility.toml"
    assert read_thresholds(path, KEYPOINTS) == Thresholds()
    path.write_text("[keypoint.e]\nvisible_above = 0.6\n")
    with pytest.raises(RecipeError, match=r"keypoint.e: the view has no such keypoint; allowed: a, b, c, d"):
        read_thresholds(path, KEYPOINTS)
    path.write_text("[keypoint.a]\nvisible_above = 0.4\n")
    with pytest.raises(RecipeError, match=r"keypoint.a: hidden_below 0.5 is above visible_above 0.4"):
        read_thresholds(path, KEYPOINTS)


def test_images_come_from_a_folder_or_a_coco_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / "images" / name).write_bytes(b"")
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps({"images": [{"id": 1, "file_name": "b.png"}], "annotations": []}))
    assert [path.name for path in image_files(tmp_path / "images")] == ["a.jpg", "b.png"]
    assert [path.name for path in image_files(coco)] == ["b.png"]
    coco.write_text("{}")
    deep = tmp_path / "deep.json"
    deep.write_text('{"x":' + "[" * 100_000)
    for source, message in (
        (coco, "is no COCO file"),
        (deep, "is no COCO file"),
        (tmp_path, "gives no images"),
        (tmp_path / "x", "no such folder"),
    ):
        with pytest.raises(DataError, match=message):
            image_files(source)


def test_the_command_seals_and_tells_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "1.png"), frame_with_part())
    assert main(["seal", str(folder)]) == 2
    assert "has no reference frames" in capsys.readouterr().err
    assert main(["seal", str(folder), "--frames", str(frames)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "top/0001.png: 1 part(s), 4 of 4 keypoints visible"
    assert lines[1].split()[0] == "grey"
    assert lines[-1].startswith(f"sealed {folder}: part, number 1, configuration ")
    assert main(["seal", str(folder), "--frames", f"up={frames}"]) == 2
    assert "there is no such folder or file" in capsys.readouterr().err


def test_an_image_that_is_none_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    frames = tmp_path / "frames"
    frames.mkdir()
    header = struct.pack(">4sIIBBBBB", b"IHDR", 100_000, 100_000, 8, 0, 0, 0, 0)  # 10 GB of pixels in a few bytes
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    for content, what in (
        (b"no image", "is not an image; allowed: png"),
        (bomb, "is 100000 x 100000; allowed: 268435456 px"),
    ):
        (frames / "1.png").write_bytes(content)
        assert main(["seal", str(folder), "--frames", str(frames)]) == 2
        assert f"1.png: {what}" in capfd.readouterr().err


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../1.png", "images/../../1.png", "a\0b", "x" * 5000, "x" * 256, "é" * 200, ""]
)
def test_a_coco_file_names_no_image_elsewhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(msgspec.json.encode({"images": [{"file_name": name}]}))
    with pytest.raises(DataError, match=r"coco.json: names .*; allowed: a path that stays in"):
        image_files(path)
