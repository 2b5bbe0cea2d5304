import pytest

from training.curves import History
from training.segment_curves import verdict


def history(*ious: float) -> History:
    rows: History = [
        {"step": 10.0 * (n + 1), "entropy": 1.0 / (n + 1), "dice": 0.5, "learning_rate": 1e-3} for n in range(20)
    ]
    for place, iou in enumerate(ious, start=20 - len(ious)):
        rows[place]["iou"] = iou
    return rows


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "nothing trained"),
        (history(0.4, 0.7), "loss 1.5 to 0.55, "),
        (history(0.4, 0.7), "iou 0.700"),
        (history(0.7, 0.4), "iou 0.400, 0.700 at step 190"),
        (history(0.7, 0.69), "iou 0.690"),
    ],
)
def test_a_training_is_told_in_words(rows: History, said: str) -> None:
    assert said in verdict(rows)


def test_a_small_fall_of_validation_is_not_told() -> None:
    assert "at step" not in verdict(history(0.7, 0.69))


def test_a_loss_that_some_rows_lack_counts_as_it_was_before() -> None:
    """A training that goes on just before a report may not have learnt the mask since."""
    rows = history(0.7)
    whole = verdict(rows)
    for row in (rows[0], rows[7], rows[-1]):
        del row["dice"]
    assert verdict(rows) == whole


def test_what_a_student_explains_is_a_figure() -> None:
    rows = history()
    rows[-1]["explained"] = 0.54
    assert verdict(rows).endswith("explained 0.540")
