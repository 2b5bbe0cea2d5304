from pathlib import Path

import numpy as np
import pytest

from benchmarks.folds.__main__ import main
from benchmarks.folds.fold import is_swapped, without
from benchmarks.folds.fold_results import FoldRecord, FoundFold, FoundPart
from benchmarks.folds.fold_table import bars, markdown, pooled, rows
from benchmarks.folds.photo_set import SETS
from training.data import Dataset, Part
from training.method import load_method
from training.splits import folds


def found(first: float, refined: float, *, length: float = 200.0, swapped: bool = False) -> FoundPart:
    return FoundPart("a.png", [first, None], [refined, None], length, swapped)


def record(*parts: FoundPart, lost: int = 0) -> FoldRecord:
    fold = FoundFold(list(parts), lost, 0.7, 0.95)
    return FoldRecord("x", {}, "", 70, 12.0, {"annotated": fold, "located": fold})


def dataset(images: int) -> Dataset:
    xy = np.array([[1.0, 2.0], [30.0, 4.0]])
    state = np.full(2, 2, np.int8)
    parts = [
        Part(Path(f"{image:03}.png"), (64, 64), xy, state, (0.0, 0.0, 40.0, 9.0), 2 * image + part)
        for image in range(images)
        for part in range(1 + image % 2)
    ]
    return Dataset(("head", "tail"), tuple(parts))


def test_no_part_of_a_fold_and_no_near_duplicate_of_it_is_trained_on() -> None:
    whole = dataset(30)
    alike = np.arange(30) // 2  # images 0 and 1 are the same, 2 and 3, ...
    method = load_method(SETS["tubes"].method)
    shares = folds(whole, count=5, seed=5, groups=alike)
    assert sorted(np.concatenate(shares)) == list(range(len(whole.parts)))
    for share in shares:
        sides = without(whole, share, alike, method)
        used = [sides.train, sides.calibration, sides.validation]
        assert sorted(np.concatenate([share, *used])) == list(range(len(whole.parts)))
        of = [{int(whole.parts[index].image.stem) // 2 for index in each} for each in (share, *used)]
        assert all(not a & b for n, a in enumerate(of) for b in of[n + 1 :])


def test_head_for_tail_is_told_from_a_bad_place() -> None:
    true = np.array([[0.0, 0.0], [100.0, 0.0]])
    assert is_swapped(true, true[::-1] + 3.0)
    assert not is_swapped(true, true + 30.0)
    assert not is_swapped(true, np.array([[90.0, 0.0], [95.0, 0.0]]))  # one alone
    assert not is_swapped(np.zeros((3, 2)), np.ones((3, 2)))


def test_figures_are_over_all_parts_of_all_folds() -> None:
    records = {f"tubes/{n}": record(found(10.0, 1.0 + n), found(8.0, 1.0, swapped=n == 0)) for n in range(5)}
    every = pooled(list(records.values()), "annotated")
    assert every.refined_px.tolist() == [1.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0, 5.0, 1.0]
    assert every.swapped == 1
    assert every.sigma == (pytest.approx(0.7), pytest.approx(0.95))
    assert bars(records, 5) == {"tubes_median_percent": pytest.approx(0.5), "tubes_swapped": 1.0}
    assert bars(dict(list(records.items())[:4]), 5) == {}  # a fold is missing
    assert len(rows("tubes", records)) == 12
    assert "setsquare: not measured yet" in markdown(records)


def test_a_ratio_and_a_mean_are_held_to_their_bars() -> None:
    records = {f"setsquare/{n}": record(found(40.0, 8.0)) for n in range(5)}
    records |= {f"openfield/{n}": record(found(5.0, 2.0), found(5.0, 3.0)) for n in range(5)}
    assert bars(records, 5) == {
        "setsquare_coarse_over_refined": pytest.approx(5.0),
        "openfield_mean_px": pytest.approx(2.5),
    }


def test_absent_photographs_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openfield", "--data", str(tmp_path), "--cache", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "there is no openfield" in said
    assert "github.com/DeepLabCut" in said
    assert main(["openfield"]) == 2
    assert "--data" in capsys.readouterr().err
