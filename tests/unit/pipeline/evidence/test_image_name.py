"""The names of stored images."""

import pytest

from pipeline.evidence.image_name import hour_of, image_path, parse_path, parse_stem
from pipeline.result import Evaluation

UTC_NS = 1_769_866_527_123_456_789  # 2026-01-31 13:35:27.123456789


def test_a_name_says_when_what_and_which() -> None:
    path = image_path(1769866000, 42, "top", UTC_NS, Evaluation.NOT_OK)
    assert path == "images/2026-01-31/13/20260131T133527.123456Z-NOT_OK-1769866000-42-top.png"
    name = parse_path(path)
    assert name is not None
    assert (name.hour, name.evaluation) == (hour_of(UTC_NS), Evaluation.NOT_OK) == ("2026-01-31/13", Evaluation.NOT_OK)
    assert name.path + ".png" == path


@pytest.mark.parametrize("view", ["", "..", "a/b", "../x", "a.b", "-a", "a\n", "a" * 65])
def test_a_view_that_could_lead_elsewhere_is_refused(view: str) -> None:
    with pytest.raises(ValueError, match="is no name of a view"):
        image_path(1, 1, view, UTC_NS, Evaluation.OK)


@pytest.mark.parametrize(
    "path",
    [
        "images/2026-01-31/13/../13/20260131T133527.123456Z-OK-1-2-top.png",
        "images/2026-01-31/14/20260131T133527.123456Z-OK-1-2-top.png",
        "/images/2026-01-31/13/20260131T133527.123456Z-OK-1-2-top.png",
        "images/2026-01-31/13/20260131T133527.123456Z-OK-1-2-top.json",
        "images/2026-01-31/13/20260131T133527.123456Z-GOOD-1-2-top.png",
        "images/2026-01-31/13/20260131T133527.123456Z-OK-1-2-.png",
        "images/2026-01-31/13/notes.png",
        "journal.db",
        "",
    ],
)
def test_other_paths_are_none_of_ours(path: str) -> None:
    assert parse_path(path) is None


def test_unfinished_files_have_no_valid_stem() -> None:
    assert parse_stem("20260131T133527.123456Z-OK-1-2-top.png") is None
