"""Defects evaluated by `datumd evaluate`, with networks that take what is dark for a defect."""

import json
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.errors import NetworkError
from pipeline.geometry import Region
from pipeline.segment_thresholds import SegmentThresholds, write_segment_thresholds
from tests.recipes import frame_with_part
from tests.segment_networks import cards, make_defect_recipe, with_defect, write_segment
from training.masks.sample import MaskedSample
from training.segment_maps import ShippedSegment


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Two parts with a dark rectangle, a part with one that is hardly dark, and two good ones."""
    folder = tmp_path / "masks"
    for index, dark in enumerate((0, 0, 9, None, None)):
        frame = frame_with_part()
        kind = "good" if dark is None else "dent"
        mask = np.zeros_like(frame)
        if dark is not None:
            mask = with_defect(np.full_like(frame, 255), 40 + 8 * index, 100) == 0
            frame = np.where(mask, dark, frame)
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{index}.png"), frame)
        if dark is not None:
            cv2.imwrite(str(folder / kind / f"{index}.mask.png"), mask.astype(np.uint8))
    return folder


def test_the_networks_run_as_in_the_daemon(tmp_path: Path) -> None:
    write_segment(tmp_path, *cards())
    networks = ShippedSegment(tmp_path)
    assert networks.weights == "none, for tests"
    image = with_defect(np.full((1000, 1200), 10, np.uint8), 400, 300, 32, 16)
    sample = MaskedSample("a", image, image == 0, "dent", "a")
    maps = networks(sample, Region(176, 156, 512, 512))
    assert maps.mask_logits.shape == (64, 64)
    assert maps.corner() == (176, 156)
    assert np.argwhere(maps.mask_logits > 0).tolist() == [[18, column] for column in range(28, 32)] + [
        [19, column] for column in range(28, 32)
    ]


def test_networks_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    encoder, decoder = cards()
    write_segment(tmp_path, encoder, decoder)
    write_segment(tmp_path / "other", *cards((128, 128)))
    (tmp_path / "other" / "segment_decoder.onnx").replace(tmp_path / "segment_decoder.onnx")
    with pytest.raises(NetworkError, match="was made for another encoder"):
        ShippedSegment(tmp_path)


def test_a_recipe_is_evaluated_and_the_worst_drawn(
    tmp_path: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_defect_recipe(tmp_path / "recipe", sealed=False)
    write_segment_thresholds(recipe / "top" / "segment.toml", SegmentThresholds(score_above=0.5))
    figures = tmp_path / "figures.json"
    assert main(["evaluate", str(recipe), "--masks", str(masks), "--json", str(figures)]) == 0
    told = capsys.readouterr().out
    assert "5 parts, 2 of them good, 0 not located; 3 defects that count" in told
    assert "weights: none, for tests" in told
    found = json.loads(figures.read_text())
    assert found["at_limits"]["found"] == pytest.approx(2 / 3)
    assert found["at_limits"]["good_with_alarm"] == 0.0
    assert found["iou"] == pytest.approx(2 / 3, abs=0.02)
    assert found["image_auroc"] == pytest.approx(5 / 6)
    assert found["kinds"].keys() == {"dent"}
    assert found["at_detection"][1]["score_above"] is None
    assert cv2.imread(str(tmp_path / "figures-worst.png")) is not None


def test_a_folder_with_networks_alone_is_evaluated_where_the_labels_say(
    tmp_path: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_segment(tmp_path / "networks" / "side", *cards())
    figures = tmp_path / "figures.json"
    words = ["evaluate", str(tmp_path / "networks"), "--masks", str(masks), "--json", str(figures)]
    assert main([*words, "--labelled"]) == 0
    assert "view side" in capsys.readouterr().out
    assert main(words) == 2
    assert "recipe.toml" in capsys.readouterr().err


def test_a_recipes_own_keypoints_tell_the_networks_where_they_look(
    tmp_path: Path, masks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_defect_recipe(tmp_path / "recipe", sealed=False)
    write_segment_thresholds(recipe / "top" / "segment.toml", SegmentThresholds(score_above=0.5))
    encoder, decoder = cards()
    layout = {"a": (-0.5, -0.5), "b": (0.5, -0.5), "d": (0.5, 0.5)}
    write_segment(recipe / "top", encoder, msgspec.structs.replace(decoder, layout=layout))
    figures = tmp_path / "figures.json"
    words = ["evaluate", str(recipe), "--view", "top", "--masks", str(masks), "--json", str(figures)]
    assert main(words) == 0
    assert json.loads(figures.read_text())["at_limits"]["found"] == pytest.approx(2 / 3)
    capsys.readouterr()
    assert main([*words, "--labelled"]) == 0  # no keypoints are labelled: this network then sees nothing
    assert "5 of 5 parts have fewer than 3 of these keypoints labelled: a, b, d." in capsys.readouterr().err
    assert json.loads(figures.read_text())["at_limits"]["found"] == 0.0
    (recipe / "top" / "visibility.toml").write_text(
        "".join(f"[keypoint.{name}]\nvisible_above = 1.0\n" for name in "abcd")
    )
    assert main(words) == 0  # on the line all keypoints are unsure then
    assert json.loads(figures.read_text())["at_limits"]["found"] == 0.0
    write_segment(recipe / "top", encoder, msgspec.structs.replace(decoder, layout={**layout, "q": (0.0, 0.0)}))
    assert main(words) == 2
    assert "there is no q" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--masks", "a", "--coco", "b"], "--masks and --coco are two sets"),
        (["--labelled"], "--labelled belongs to defects"),
        (["--defects"], "no labels are given"),
        ([], "no labels are given"),
        (["--masks", "gone"], "gone: is no folder"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path), "--json", str(tmp_path / "figures.json"), *words]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
