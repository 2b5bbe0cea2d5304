"""Rows, folds and bars, from records that are made up."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.methods.results_file import add_record
from benchmarks.report import budgets_of, faults_of
from benchmarks.segment import table
from benchmarks.segment.bars import bars
from benchmarks.segment.part_sets import FULL, QUICK, RENDERED, TILES
from benchmarks.segment.results import WHOLE, ZEROED, Found, Record, missing, read, rounded, valid
from benchmarks.segment.variants import Training, Variant, chosen, read_variants, trainings
from pipeline.errors import ConfigError
from training.segment_compare import ScoredPart, TrueDefect
from training.segment_counts import PixelCounts
from training.segment_score import SegmentReport, report

WEIGHTS = "sam_tiny of datumd 01234567"


def figures(iou: float) -> SegmentReport:
    both = round(200 * iou / (1 + iou))
    bad = ScoredPart("a", "dent", False, (0.9,), (TrueDefect(100.0, 0.9, True),), both, 100, 100, 1.25, True)
    good = ScoredPart("b", "", True, (0.2,), (), 0, 0, 0, None, False)
    return report([bad, good], PixelCounts(), lost=0, recipe="", view="", weights=WEIGHTS)


def record(training: Training, iou: float, *, zeroed: float | None = None, weights: str = WEIGHTS) -> Record:
    found = {WHOLE: Found(12.5, rounded(figures(iou)))}
    if zeroed is not None:
        found[ZEROED] = Found(12.5, rounded(figures(zeroed)))
    return Record(training.digest, weights, training.plain, 7.5, 500_000, "converged", (10, 5, 2), found)


def one(name: str, set_name: str, fold: int) -> Training:
    (found,) = trainings(chosen(read_variants(), [name]), FULL, sets=[set_name], folds=[fold])
    return found


def test_the_table_is_trained_fold_by_fold() -> None:
    keys = [training.key for training in trainings(read_variants(), FULL)]
    assert len(set(keys)) == len(keys)
    assert keys.index("unet/tiles/0") < keys.index("s4/tiles/1")
    assert "s4/rendered/0" in keys
    assert "s4/rendered/1" not in keys
    assert {training.fold for training in trainings(read_variants(), QUICK)} == {0, 1}


def test_a_digest_changes_with_the_method_the_set_and_the_fold() -> None:
    trained = trainings(read_variants(), FULL)
    assert len({training.digest for training in trained}) == len(trained)
    assert one("s4", TILES, 0).digest == one("s4", TILES, 0).digest
    quick = trainings(chosen(read_variants(), ["s4"]), QUICK, sets=[TILES], folds=[0])[0]
    assert quick.digest != one("s4", TILES, 0).digest


def test_every_method_of_the_table_can_be_read() -> None:
    kinds = {training.variant.name: training.method.network.kind for training in trainings(read_variants(), FULL)}
    assert kinds["unet"] == "unet"
    assert kinds["s4"] == "prompted_sam"


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="--only is 's5'; allowed: box, "):
        chosen(read_variants(), ["s5"])


def test_a_record_counts_for_its_configuration_and_its_weights(tmp_path: Path) -> None:
    training = one("s4", TILES, 0)
    path = tmp_path / "results.json"
    add_record(path, training.key, record(training, 0.6, zeroed=0.4), tmp_path / "lock")
    records = read(path)
    assert records[training.key] == record(training, 0.6, zeroed=0.4)
    assert valid(training, records) is not None
    assert valid(training, records, "another 89abcdef") is None
    assert missing([training, one("unet", TILES, 0)], records, WEIGHTS) == [one("unet", TILES, 0)]
    changed = msgspec.structs.replace(records[training.key], digest="of another one")
    assert valid(training, {training.key: changed}) is None


def test_rows_say_how_many_folds_are_there_and_what_is_not() -> None:
    first, second = one("s4", TILES, 0), one("s4", TILES, 1)
    records = {first.key: record(first, 0.6, zeroed=0.4), second.key: record(second, 0.5, zeroed=0.4)}
    told = table.text(read_variants(), FULL, records)
    assert "S4 (2 of 5 folds)" in told
    assert "0.552 ± 0.068" in told
    assert "S4, its heatmap zeroed" in told
    assert "not measured yet" in told
    assert WEIGHTS in told
    assert "published: PGA-Net" in told
    lines = table.markdown(read_variants(), FULL, records).splitlines()
    widths = {line.count("|") for line in lines if line.startswith("| S4 (2 of")}
    assert widths <= {line.count("|") for line in lines if line.startswith("|---")}


def test_bars_compare_the_folds_that_both_sides_have() -> None:
    s4 = {fold: one("s4", TILES, fold) for fold in (0, 1)}
    unet, box, rendered = one("unet", TILES, 1), one("box", TILES, 0), one("s4-tiles", RENDERED, 0)
    records = {
        s4[0].key: record(s4[0], 0.8, zeroed=0.5),
        s4[1].key: record(s4[1], 0.6, zeroed=0.5),
        unet.key: record(unet, 0.5),
        box.key: record(box, 0.9),
        rendered.key: record(rendered, 0.7),
    }
    found = bars(read_variants(), FULL, records)
    assert found["s4_over_unet_iou"] == pytest.approx(0.6 / 0.5, rel=0.02)
    assert found["s4_over_box_ceiling_iou"] == pytest.approx(0.8 / 0.9, rel=0.02)
    assert found["s4_over_zeroed_iou_by"] == pytest.approx(0.2, abs=0.02)
    assert found["rendered_image_auroc"] == 1.0
    assert found["rendered_good_with_alarm_at_99"] == 0.0
    assert not faults_of(found, budgets_of("segment"))


def test_what_was_not_measured_is_no_figure_and_breaks_its_bar() -> None:
    found = bars(read_variants(), FULL, {})
    assert found == {}
    assert len(faults_of(found, budgets_of("segment"))) == len(budgets_of("segment")) == 5


def test_a_set_that_is_not_known_is_named() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "a", "title": "b", "kind": "circle"}, Variant)
