"""`datumd train` of what finds defects: what is refused, and what tells where on the part an image lies."""

from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from tests.recipes import frame_with_part, make_recipe
from training.masks.sample import MaskedImage, MaskedSet
from training.segment_command import _placed

KEYPOINTS = ["--method", "regression", "--coco", "a", "--images", "b"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*KEYPOINTS, "--sam", "c"], "--sam belongs to defects; allowed: --method prompted_sam"),
        ([*KEYPOINTS, "--masks", "c"], "--masks belongs to defects"),
        ([*KEYPOINTS, "--near-numbers", "3"], "--near-numbers belongs to defects"),
        (["--method", "regression"], "--coco is given 0 times, --images 0 times"),
        (["--method", "sam_tiny", "--masks", "a"], "--masks is given, and sam_tiny draws what it learns from"),
        (["--method", "sam_tiny", "--init", "a"], "--init belongs to keypoints"),
        (["--method", "sam_tiny", "gone.toml"], "gone.toml: cannot be read"),
        (["--method", "prompted_sam", "--masks", "a"], "--sam is missing"),
        (["--method", "prompted_sam", "--sam", "a"], "no labels are given"),
        (["--method", "prompted_sam", "--sam", "a", "--masks", "gone"], "gone: is no folder"),
        (["--method", "prompted_sam", "--sam", "a", "--coco", "b"], "--coco is given 1 times, --images 0 times"),
        (["--method", "prompted_sam", "--sam", "a", "--masks", "b", "--near-numbers", "-1"], "--near-numbers is -1"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_labelled_keypoints_count_and_where_they_are_too_few_those_that_the_recipe_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_recipe(tmp_path / "recipe", ("top",), sealed=False)
    cv2.imwrite(str(tmp_path / "part.png"), frame_with_part())
    labels: list[dict[str, tuple[float, float]]] = [
        {"a": (1.0, 2.0), "b": (3.0, 4.0), "c": (5.0, 6.0), "q": (7.0, 8.0)},
        {"a": (1.0, 2.0), "b": (3.0, 4.0), "q": (7.0, 8.0)},
        {},
    ]
    images = MaskedSet(
        [
            MaskedImage(
                str(number), tmp_path / "part.png", lambda hw: np.zeros(hw, np.bool_), "", "a", keypoints=keypoints
            )
            for number, keypoints in enumerate(labels)
        ]
    )
    first, second, third = _placed(images, Namespace(out=tmp_path / "recipe", view="top")).images
    assert first.keypoints == {"a": (1.0, 2.0), "b": (3.0, 4.0), "c": (5.0, 6.0)}
    assert set(second.keypoints) == set("abcd")
    assert second.keypoints == third.keypoints
    assert "keypoints q" in capsys.readouterr().out
    assert _placed(images, Namespace(out=tmp_path / "none", view="top")) is images
