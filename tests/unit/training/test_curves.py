from pathlib import Path

import cv2
import numpy as np
import pytest

from training.curves import History, draw, verdict


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ([1.0] * 5, "position loss 1 to 1, too short to judge"),
        ([100 / (i + 1) for i in range(40)], "position loss 100 to 2.5, still improving, 10% in the last tenth"),
        ([5.0] * 20 + [1.0] * 20, "position loss 5 to 1, converged"),
        ([1.0] * 36 + [3.0] * 4, "position loss 1 to 3, diverging, the last tenth is 200% worse"),
        ([], "nothing trained"),
    ],
)
def test_the_course_is_judged_in_words(losses: list[float], says: str) -> None:
    assert verdict([{"position": loss} for loss in losses]) == says


def test_what_the_noise_explains_is_no_change() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.2, 100)
    assert "converged" in verdict([{"position": 1.0 + value} for value in noise])
    falling = [{"position": (1.0 + 0.1 * value) * 0.97**index} for index, value in enumerate(noise)]
    assert "still improving" in verdict(falling)


def history(validation: list[float], *, falling: bool = True) -> History:
    rows = []
    for index, error in enumerate(validation):
        rows.append({"step": 100.0 * (index + 1), "position": 1.0 / (index + 1) if falling else 1.0, "mean_px": error})
    return rows


def test_validation_that_rises_while_the_loss_falls_is_called_overfitting() -> None:
    says = verdict(history([9.0, 5.0, 5.5, 6.0]))
    assert "but overfits since step 200: validation rose from 5 to 6 px while the loss fell" in says
    assert verdict(history([9.0, 5.0, 5.1])).endswith("validation 5.1 px")
    assert "overfits" not in verdict(history([9.0, 5.0, 6.0], falling=False))


def test_curves_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    likelihood = [{"step": 1.0, "position": 2.0, "flow": 1.0}, {"step": 2.0, "position": 1.0, "flow": -3.0}]
    draw({"coarse": history([4.0, 3.0]), "flow": likelihood, "refine": []}, tmp_path / "a" / "curves.png")
    picture = cv2.imread(str(tmp_path / "a" / "curves.png"))
    assert picture is not None
    empty = picture[2 * len(picture) // 3 :]
    for row in (picture[: len(picture) // 3], picture[len(picture) // 3 : 2 * len(picture) // 3]):
        assert np.ptp(row, axis=2).any()  # coloured lines
    assert not np.ptp(empty[len(empty) // 4 :], axis=2).any()
