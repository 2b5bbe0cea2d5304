from pathlib import Path

import msgspec
import pytest

from pipeline.errors import RecipeError
from pipeline.thresholds import Threshold, Thresholds, read_thresholds, write_thresholds

FULL = Threshold(0.8, 0.3, examples=(412, 37), false_reject=(0.0042, 0.0311), false_accept=(0.0, 0.0949))


def test_what_is_known_of_the_rates_is_written_for_a_person_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "visibility.toml"
    thresholds = Thresholds(1.5, {"a": FULL, "b": Threshold(0.7, 0.2)}, false_reject=0.01)
    write_thresholds(path, thresholds)
    assert read_thresholds(path, ["a", "b"]) == thresholds
    assert "examples = [412, 37]\nfalse_reject = [0.0042, 0.0311]\nfalse_accept = [0.0, 0.0949]" in path.read_text()


def test_a_lock_gives_back_the_same_thresholds() -> None:
    thresholds = Thresholds(1.5, {"a": FULL, "b": Threshold()}, false_reject=0.01)
    assert msgspec.json.decode(msgspec.json.encode(thresholds), type=Thresholds) == thresholds


def test_files_without_intervals_are_read(tmp_path: Path) -> None:
    path = tmp_path / "visibility.toml"
    path.write_text("temperature = 1.5\n[keypoint.a]\nvisible_above = 0.8\nhidden_below = 0.3\n")
    thresholds = read_thresholds(path, ["a"])
    assert thresholds == Thresholds(1.5, {"a": Threshold(0.8, 0.3)})
    locked = b'{"temperature": 1.5, "keypoint": {"a": {"visible_above": 0.8, "hidden_below": 0.3}}}'
    assert msgspec.json.decode(locked, type=Thresholds) == thresholds


def test_the_most_keypoints_with_the_longest_names_and_all_figures_fit(tmp_path: Path) -> None:
    names = [f"{number:04}" + "x" * 60 for number in range(1024)]
    limits = Threshold(0.1234, 0.0123, (123456, 123456), (0.1234, 0.5678), (0.1234, 0.5678))
    thresholds = Thresholds(keypoint=dict.fromkeys(names, limits), false_reject=0.01)
    write_thresholds(tmp_path / "visibility.toml", thresholds)
    assert read_thresholds(tmp_path / "visibility.toml", names) == thresholds


@pytest.mark.parametrize("pair", ["[0.1]", "[0.1, 1.2]", '"often"'])
def test_a_faulty_interval_is_refused_with_its_key(tmp_path: Path, pair: str) -> None:
    path = tmp_path / "visibility.toml"
    path.write_text(f"[keypoint.a]\nfalse_accept = {pair}\n")
    with pytest.raises(RecipeError, match=r"visibility.toml: keypoint.a.false_accept"):
        read_thresholds(path, ["a"])
