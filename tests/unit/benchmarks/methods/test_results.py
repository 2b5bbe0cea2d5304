import multiprocessing
from pathlib import Path

import msgspec
import pytest

from benchmarks.methods import table
from benchmarks.methods.bars import bars
from benchmarks.methods.results import Decoding, Figures, Record, read
from benchmarks.methods.results_file import add_record
from benchmarks.methods.schedule import listed, standing
from benchmarks.methods.sets import FULL, claimed
from benchmarks.methods.variants import Variant, read_variants, trainings, trials
from pipeline.errors import DataError

FIGURES = Figures(parts=400, mean=4.0, median=3.0, p95=9.0, p99=20.0, within_1_px=0.1, failed=0.02, auc=0.98)


def record(digest: str, mean: float = 4.0, validation_px: float = 5.0) -> Record:
    figures = msgspec.structs.replace(FIGURES, mean=mean, occluded_off=0.25, gross_parts=0.1)
    sets = {"ordinary": figures, "heavy": figures, "final-ordinary": figures, "final-heavy": figures}
    decodings = {name: Decoding(500_000, 2.0, sets) for name in ("first", "refined", "fitted")}
    return Record(digest, {"name": "x"}, 9.5, validation_px, {"coarse": "converged"}, decodings)


def variant(name: str) -> Variant:
    return next(one for one in read_variants() if one.name == name)


def test_settings_are_tried_first_and_the_best_one_is_trained() -> None:
    s1, records = variant("s1"), {}
    now = standing(s1, FULL, records)
    assert [one.key for one in now.missing] == [f"s1/tried/{index}" for index in range(4)]
    assert now.later == 3
    for one, px in zip(trials(s1, FULL), (6.0, 5.0, 4.5, 7.0), strict=True):
        records[one.key] = record(one.digest, validation_px=px)
    now = standing(s1, FULL, records)
    assert now.setting == 2
    assert [one.key for one in now.missing] == ["s1/0", "s1/1", "s1/2"]
    assert now.missing[0].method.coarse.learning_rate == 4e-3


def test_a_record_of_another_configuration_does_not_count() -> None:
    one = trainings(variant("heatmap"), FULL, None)[0]
    assert standing(variant("heatmap"), FULL, {one.key: record(one.digest)}).missing == ()
    assert standing(variant("heatmap"), FULL, {one.key: record("other")}).missing == (one,)


def test_what_is_missing_is_listed() -> None:
    one = trainings(variant("heatmap"), FULL, None)[0]
    lines = listed(read_variants(), FULL, {one.key: record(one.digest)}).splitlines()
    assert lines[0].split() == ["heatmap", "1", "of", "1", "there"]
    assert lines[1].endswith("to train: tried/0, tried/1, tried/2, tried/3")
    assert lines[-1].endswith("(only when it is named)")


def test_the_table_says_what_is_not_measured(tmp_path: Path) -> None:
    one = trainings(variant("heatmap"), FULL, None)[0]
    records = {one.key: record(one.digest)}
    shown = table.markdown(read_variants(), FULL, records)
    assert "| heatmap and its argmax | 4.00 | 3.00 | 9.00 | 20.00 | 10.0% | 2.0% | - |" in shown
    assert "| heatmap and its argmax ▸ S3 |" in shown
    assert f"| S1: flatten | {table.NONE_YET} |" in shown
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.MARKS[0]}\nold\n{table.MARKS[1]}\nafter\n")
    table.write(page, shown)
    table.write(page, shown)
    assert page.read_text() == f"before\n{table.MARKS[0]}\n\n{shown}\n\n{table.MARKS[1]}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(DataError, match="has no place for the table"):
        table.write(page, shown)


def test_bars_are_held_to_what_was_measured() -> None:
    assert bars(read_variants(), FULL, {}) == {}
    records = {}
    for name, mean in (("s1", 3.0), ("pooling-linear", 6.0), ("pooling", 4.0), ("best", 0.5)):
        one = variant(name)
        records |= {each.key: record(each.digest) for each in trials(one, FULL)}
        setting = standing(one, FULL, records).setting
        records |= {each.key: record(each.digest, mean) for each in trainings(one, FULL, setting)}
    found = bars(read_variants(), FULL, records)
    assert found["flatten_gain_over_pooling"] == pytest.approx(0.5)
    assert found["flatten_gain_over_pooling_with_hidden_layer"] == pytest.approx(0.25)
    assert found["best_mean_px"] == pytest.approx(0.5)
    assert found["heavy_median_over_no_prior"] == pytest.approx(1.0)
    assert (found["heavy_occluded_off"], found["heavy_gross_parts"]) == (pytest.approx(0.25), pytest.approx(0.1))


def _adds(path: Path, name: str) -> None:
    for index in range(10):
        add_record(path, f"{name}/{index}", record(f"{index}"), path.with_name("lock"))


def test_two_processes_add_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_adds, args=(path, name)) for name in ("a", "b")]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0]
    assert sorted(read(path)) == sorted(f"{name}/{index}" for name in "ab" for index in range(10))
    path.write_text("{")
    with pytest.raises(DataError, match="is no file of results"):
        read(path)


def test_what_one_has_in_hands_another_leaves(tmp_path: Path) -> None:
    with claimed(tmp_path / "x.lock") as first:
        assert first
        with claimed(tmp_path / "x.lock") as second:
            assert not second
    with claimed(tmp_path / "x.lock") as third:
        assert third
