"""`datumd train` of what finds defects: what is refused."""

from pathlib import Path

import pytest

from pipeline.cli import main

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
