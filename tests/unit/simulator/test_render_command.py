import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError, DatumdError
from simulator import render_command
from simulator.render import PartRenderer, frame_seed


def render(out: Path, *more: str) -> int:
    parser = argparse.ArgumentParser()
    render_command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["render", str(out), "--count", "3", "--seed", "4", *more])
    return int(args.run(args))


@pytest.fixture(scope="module")
def rendered_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set") / "out"
    assert render(out) == 0
    return out


def test_a_set_holds_images_truth_and_a_contact_sheet(rendered_set: Path) -> None:
    assert sorted(path.name for path in (rendered_set / "images").iterdir()) == [f"00000{i}.png" for i in range(3)]
    sheet = cv2.imread(str(rendered_set / "contact_sheet.png"))
    assert sheet is not None
    assert sheet.shape[0] > 1024
    truth = json.loads((rendered_set / "annotations.json").read_text())
    assert [image["file_name"] for image in truth["images"]] == ["000000.png", "000001.png", "000002.png"]
    assert truth["categories"][0]["keypoints"] == list(PartRenderer().keypoints)


def test_truth_is_written_in_the_corner_convention(rendered_set: Path) -> None:
    truth = json.loads((rendered_set / "annotations.json").read_text())
    renderer = PartRenderer()
    for index, (image, annotation) in enumerate(zip(truth["images"], truth["annotations"], strict=True)):
        assert image["seed"] == frame_seed(4, index)
        frame = renderer.render(image["seed"])
        written = np.array(annotation["keypoints"]).reshape(-1, 3)
        assert written[:, :2] == pytest.approx(frame.xy_sensor_px + 0.5, abs=1e-4)
        assert (written[:, 2] == np.where(frame.state == 2, 2, 1)).all()
        assert annotation["missing"] == [n for n, s in zip(renderer.keypoints, frame.state, strict=True) if s == 0]
        assert annotation["bbox"][0] == pytest.approx(frame.box_xywh_sensor_px[0] + 0.5, abs=1e-4)
        assert annotation["bbox"][2:] == pytest.approx(frame.box_xywh_sensor_px[2:], abs=1e-4)
        grey = cv2.imread(str(rendered_set / "images" / image["file_name"]), cv2.IMREAD_UNCHANGED)
        assert grey is not None
        assert (grey == frame.image).all()


def test_a_set_with_defects_holds_the_same_parts_and_the_masks_that_the_renderer_gives(
    rendered_set: Path, tmp_path: Path
) -> None:
    assert render(tmp_path / "out", "--defects", "0.7") == 0
    without = json.loads((rendered_set / "annotations.json").read_text())
    truth = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert truth["images"] == without["images"]
    assert truth["annotations"][:3] == without["annotations"]
    assert truth["info"]["description"] == f"{without['info']['description']} --defects 0.7"
    renderer = PartRenderer()
    drawn = {image["id"]: renderer.render(image["seed"], defects=0.7) for image in truth["images"]}
    expected = [(number, defect) for number, frame in drawn.items() for defect in frame.defects]
    assert expected
    for annotation, (number, defect) in zip(truth["annotations"][3:], expected, strict=True):
        assert annotation["image_id"] == number
        assert truth["categories"][annotation["category_id"] - 1]["name"] == defect.kind
        assert annotation["area"] == defect.area_px == sum(annotation["segmentation"]["counts"][1::2])
        assert annotation["bbox"] == [*defect.at, defect.mask.shape[1], defect.mask.shape[0]]
    for number, frame in drawn.items():
        file = f"{number - 1:06d}.png"
        grey = cv2.imread(str(tmp_path / "out" / "images" / file), cv2.IMREAD_UNCHANGED)
        assert grey is not None
        assert (grey == frame.image).all()
        same = (rendered_set / "images" / file).read_bytes() == (tmp_path / "out" / "images" / file).read_bytes()
        assert same is not bool(frame.defects)
    sheets = [cv2.imread(str(folder / "contact_sheet.png")) for folder in (rendered_set, tmp_path / "out")]
    assert sheets[0] is not None
    assert sheets[1] is not None
    assert sheets[1].shape[0] > sheets[0].shape[0] + 200, "close-ups of the defects below"


def test_two_processes_write_the_same_set(rendered_set: Path, tmp_path: Path) -> None:
    assert render(tmp_path / "out", "--jobs", "2") == 0
    for path in sorted(rendered_set.rglob("*.*")):
        assert (tmp_path / "out" / path.relative_to(rendered_set)).read_bytes() == path.read_bytes()


def test_an_earlier_set_is_only_replaced_by_force(rendered_set: Path) -> None:
    with pytest.raises(DataError, match=r"OUT is not empty.*next: the same command with --force"):
        render(rendered_set)
    assert render(rendered_set, "--force") == 0


def test_force_never_deletes_what_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match=r"thesis\.txt"):
        render(tmp_path, "--force")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "labels", [None, '{"images": []}', '{"info": {"description": "my own"}, "images": []}', "no json", "[" * 100_000]
)
def test_force_never_deletes_a_set_that_somebody_labelled(tmp_path: Path, labels: str | None) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"precious")
    if labels is not None:
        (tmp_path / "annotations.json").write_text(labels)
    with pytest.raises(DataError, match="OUT holds a set that datumd did not render"):
        render(tmp_path, "--force")
    assert (tmp_path / "images" / "1.png").read_bytes() == b"precious"


def test_a_set_that_was_interrupted_may_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(render_command, "_progress", interrupt)
        with pytest.raises(KeyboardInterrupt):
            render(tmp_path / "out")
    assert render(tmp_path / "out", "--force") == 0
    assert len(json.loads((tmp_path / "out" / "annotations.json").read_text())["images"]) == 3


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file/out: OUT cannot be made \(Not a directory\)"):
        render(tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--count", "0"), "--count is 0; allowed: 1 or more"),
        (("--seed", "-1"), "--seed is -1; allowed: 0 or more"),
        (("--jobs", "0"), "--jobs is 0; allowed: 1 or more"),
        (("--defects", "1.5"), "--defects is 1.5; allowed: 0 to 1"),
        (("--defects", "nan"), "--defects is nan; allowed: 0 to 1"),
        (("--family", "gasket"), "--family: there is no part family 'gasket'; allowed: bracket"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatumdError, match=message) as caught:
        render(tmp_path / "out", *arguments)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
