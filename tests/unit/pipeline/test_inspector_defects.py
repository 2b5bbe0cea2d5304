"""Whole inspections of drawn parts with keypoints and defects together."""

import hashlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pipeline.errors import NetworkError, RecipeError
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.precision import DerivedNote, ParityPx, derived_path, write_derived
from pipeline.recipe import load_recipe
from pipeline.result import Evaluation, Reason, ResultState
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.values import Decision
from tests.recipes import KEYPOINTS, draw_part, frame_with_part
from tests.segment_networks import cards, make_defect_recipe, with_defect, write_segment

WIDTH = '[measure]\nwidth = { distance = ["a", "b"], nominal = 128, tolerance = 0.5 }\n'


def loaded(folder: Path, **options: object) -> Inspector:
    recipe = make_defect_recipe(folder / "part", sealed=False, **options)  # type: ignore[arg-type]  # options by name
    return Inspector.load(load_recipe(recipe, sealed=False))


def decided(inspector: Inspector, frame: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Decision:
    (found,) = inspector.inspect("top", mono8_frame(frame))
    return inspector.decide({"top": found})


def test_a_good_part_is_good_and_its_search_is_a_stage(tmp_path: Path) -> None:
    decision = decided(loaded(tmp_path, zones=WIDTH), frame_with_part())
    assert (decision.evaluation, decision.defects, decision.reasons) == (Evaluation.OK, (), ())
    assert decision.stages_ns["segment"] > 0


def test_a_defect_makes_the_part_not_ok_with_all_its_keypoints(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, rest="scale_mm_per_px = 0.1")
    decision = decided(inspector, with_defect(frame_with_part(), 120, 100))
    assert decision.reasons == (Reason("defect", view="top", value=pytest.approx(1.28), limit=0.0, unit="mm2"),)  # type: ignore[arg-type]  # as a float
    assert [defect.box for defect in decision.defects] == [(120.0, 100.0, 16.0, 8.0)]
    assert (decision.result_state, decision.evaluation) == (ResultState.COMPLETED, Evaluation.NOT_OK)
    assert [point.state.value for point in decision.keypoints] == ["visible"] * 4


LAYOUT = {"a": (-0.5, -0.5), "b": (0.5, -0.5), "d": (0.5, 0.5)}


def with_layout(folder: Path, layout: dict[str, tuple[float, float]]) -> Inspector:
    recipe = make_defect_recipe(folder / "part", sealed=False)
    encoder, decoder = cards()
    write_segment(recipe / "top", encoder, msgspec.structs.replace(decoder, layout=layout))
    return Inspector.load(load_recipe(recipe, sealed=False))


def test_the_parts_keypoints_tell_the_network_where_it_looks(tmp_path: Path) -> None:
    inspector = with_layout(tmp_path, LAYOUT)
    defect = with_defect(frame_with_part(), 120, 100)
    assert len(decided(inspector, defect).defects) == 1
    blind = defect.copy()
    blind[160:, 160:] = 10
    without = decided(inspector, blind)
    assert [point.state.value for point in without.keypoints] == ["visible", "visible", "visible", "hidden"]
    assert without.defects == ()  # two of the three that tell it are too few


def test_every_tile_is_told_where_it_lies(tmp_path: Path) -> None:
    """The part's frame ends at x = 140.8 px: the middle of the left tiles lies within, that of the right ones beyond."""
    recipe = make_defect_recipe(tmp_path / "part", sealed=False)
    encoder, decoder = cards((128, 128))
    layout = {"a": (0.7, -0.25), "b": (1.2, -0.25), "d": (1.2, 0.25)}  # 256 px are 1
    decoder = msgspec.structs.replace(decoder, layout=layout)
    write_segment(recipe / "top", msgspec.structs.replace(encoder, tiles=(2, 2)), decoder)
    inspector = Inspector.load(load_recipe(recipe, sealed=False))
    both = with_defect(with_defect(frame_with_part(), 80, 100), 150, 100)
    assert [defect.box[0] for defect in decided(inspector, both).defects] == [80.0]


def test_a_network_that_is_told_by_keypoints_which_the_view_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"by the keypoints a, b, q; there is no q.*some of a, b, c, d"):
        with_layout(tmp_path, {"a": (0.0, 0.0), "b": (1.0, 0.0), "q": (0.0, 1.0)})


def test_what_is_allowed_is_told_and_does_no_harm(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, segment="max_area_px = 128\nmax_count = 2")
    frame = with_defect(with_defect(frame_with_part(), 120, 100), 40, 160)
    decision = decided(inspector, frame)
    assert (decision.evaluation, len(decision.defects)) == (Evaluation.OK, 2)
    decision = decided(inspector, with_defect(with_defect(frame, 160, 120, 24), 200, 220))
    assert [(reason.code, reason.value, reason.limit) for reason in decision.reasons] == [
        ("defect", 192.0, 128.0),
        ("defects", 4.0, 2.0),
    ]


def test_nothing_is_decided_where_there_are_more_defects_than_can_be_told(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, segment="max_count = 9999")
    frame = frame_with_part()
    for number in range(102):
        column, row = number % 17, number // 17
        frame = with_defect(frame, 8 * column + 60, 8 * row + 100, 4, 4)
        if number == 99:
            decision = decided(inspector, frame)
            assert (decision.evaluation, len(decision.defects)) == (Evaluation.OK, 100)
    decision = decided(inspector, frame)
    assert (decision.result_state, decision.evaluation) == (ResultState.COMPLETED, Evaluation.NOT_DECIDABLE)
    assert decision.reasons == (Reason("defects_untold", view="top", value=102.0, limit=100.0),)


def test_thresholds_of_the_view_decide_what_is_a_defect(tmp_path: Path) -> None:
    frame = with_defect(frame_with_part(), 120, 100)
    for thresholds, count in (
        (SegmentThresholds(min_area_px=128.0), 1),
        (SegmentThresholds(min_area_px=129.0), 0),
        (SegmentThresholds(score_above=0.999), 0),
        (SegmentThresholds(mask_above=0.999), 0),
    ):
        inspector = loaded(tmp_path / str(thresholds), thresholds=thresholds)
        assert len(decided(inspector, frame).defects) == count


@pytest.mark.parametrize(("when", "is_searched"), [("needed", False), ("always", True)])
def test_needed_only_while_nothing_else_of_this_view_is_wrong(tmp_path: Path, when: str, *, is_searched: bool) -> None:
    frame = with_defect(frame_with_part(), 120, 100)
    segment = f'when = "{when}"'
    too_wide = WIDTH.replace("128", "100")
    hidden = f"must_be_present = {KEYPOINTS}"
    for name, options in (
        ("width", {"zones": too_wide}),
        ("hidden", {"rest": hidden, "logits": (8.0, -8.0, 8.0, 8.0)}),
    ):
        inspector = loaded(tmp_path / name, segment=segment, **options)
        decision = decided(inspector, frame)
        assert decision.evaluation is Evaluation.NOT_OK
        assert bool(decision.defects) is is_searched
        assert ("segment" in decision.stages_ns) is is_searched
        (found,) = inspector.inspect("top", mono8_frame(frame), whole=True)
        assert len(found.defects) == 1


def test_needed_where_nothing_is_decided(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, segment='when = "needed"', zones=WIDTH, logits=(8.0, -8.0, 8.0, 8.0))
    decision = decided(inspector, with_defect(frame_with_part(), 120, 100))
    assert [reason.code for reason in decision.reasons] == ["defect", "hidden"]
    assert decision.evaluation is Evaluation.NOT_OK


def test_a_picture_that_cannot_be_judged_is_not_searched(tmp_path: Path) -> None:
    decision = decided(loaded(tmp_path, rest="image = { grey = [5, 200] }"), np.zeros((256, 256), np.uint8))
    assert [reason.code for reason in decision.reasons] == ["image_dark"]
    assert "segment" not in decision.stages_ns


def test_where_a_network_gives_no_number_nothing_is_decided(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", zones=WIDTH, sealed=False)
    write_segment(folder / "top", *cards(), dark=float("nan"))
    decision = decided(Inspector.load(load_recipe(folder, sealed=False)), frame_with_part())
    assert (decision.result_state, decision.evaluation) == (ResultState.FAILED, Evaluation.UNDEFINED)
    assert decision.reasons == (Reason("network_not_finite", view="top"),)
    assert (decision.keypoints, decision.defects) == ((), ())
    assert decision.measurements[0].value is None


ZONE = '[zone.core]\npolygon = ["a", "b", "d", "c"]\n'


@pytest.mark.parametrize("shift", [(0.0, 0.0), (20.0, -12.0)])
def test_a_zone_moves_with_the_part(tmp_path: Path, shift: tuple[float, float]) -> None:
    inspector = loaded(tmp_path, segment="max_count = 9", zones=ZONE)
    frame = frame_with_part(shift_px=shift)
    outside, inside = 40 + int(shift[0]), 60 + int(shift[0])  # the zone begins at 63.5
    decision = decided(inspector, with_defect(frame, outside, 120, 20))
    assert (decision.evaluation, decision.defects[0].zones) == (Evaluation.OK, [])
    decision = decided(inspector, with_defect(frame, inside, 120, 20))
    assert decision.defects[0].zones == ["core"]
    assert [(reason.code, reason.name, reason.unit) for reason in decision.reasons] == [("defect", "core", "px2")]
    assert decision.evaluation is Evaluation.NOT_OK


def test_nothing_is_decided_where_a_zone_cannot_be_placed(tmp_path: Path) -> None:
    inspector = loaded(tmp_path, zones=ZONE, logits=(8.0, 8.0, -8.0, 8.0))
    decision = decided(inspector, frame_with_part())
    assert decision.evaluation is Evaluation.NOT_DECIDABLE
    assert decision.reasons == (Reason("zone_unplaced", name="core", view="top"),)
    decision = decided(inspector, with_defect(frame_with_part(), 120, 100))
    assert [reason.code for reason in decision.reasons] == ["defect", "zone_unplaced"]


def test_each_of_several_parts_has_its_own_defects(tmp_path: Path) -> None:
    regions = [(0, 0, 256, 256), (240, 0, 256, 256), (600, 0, 256, 256)]
    nests = f"{{ nests = {[list(region) for region in regions]} }}"
    inspector = loaded(tmp_path, locate=nests)
    frame = np.full((256, 856), 10, np.uint8)
    for region in regions:
        draw_part(frame, region)
    frame = with_defect(with_defect(with_defect(frame, 100, 100), 620, 30), 700, 200)
    found = inspector.inspect("top", mono8_frame(frame))
    assert [sorted(defect.box[0] for defect in part.defects) for part in found] == [[100.0], [], [620.0, 700.0]]
    assert all("segment" in part.stages_ns for part in found)
    assert ["coarse" in part.stages_ns for part in found] == [True, False, False]  # what they share is told once
    assert [inspector.decide({"top": part}).evaluation.value for part in found] == ["NOT_OK", "OK", "NOT_OK"]


def test_views_with_the_same_networks_have_them_together_and_their_own_limits(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", ["top", "side"], sealed=False)
    (folder / "side" / "segment.toml").write_text("min_area_px = 9999\n")
    inspector = Inspector.load(load_recipe(folder, sealed=False), batch=2)
    assert inspector.are_alike("top", "side")
    frame = mono8_frame(with_defect(frame_with_part(), 120, 100))
    (top,), (side,) = inspector.inspect_together([("top", frame), ("side", frame)])
    assert (len(top.defects), len(side.defects)) == (1, 0)
    assert "segment" in top.stages_ns
    assert "segment" in side.stages_ns


def test_without_its_table_a_view_looks_for_no_defects(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", sealed=False)
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace('[view.top.segment]\nwhen = "always"', ""))
    inspector = Inspector.load(load_recipe(folder, sealed=False))
    decision = decided(inspector, with_defect(frame_with_part(), 120, 100))
    assert (decision.evaluation, decision.defects) == (Evaluation.OK, ())
    assert "segment" not in decision.stages_ns


def test_networks_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", sealed=False)
    (folder / "top" / "segment_decoder.onnx").unlink()
    with pytest.raises(RecipeError, match=r"segment_decoder.onnx: there is segment_encoder.onnx without its decoder"):
        load_recipe(folder, sealed=False)
    (folder / "top" / "segment_encoder.onnx").unlink()
    recipe = load_recipe(folder, sealed=False)
    with pytest.raises(RecipeError, match=r"segment_encoder.onnx: defects are looked for in view top, and there is no"):
        Inspector.load(recipe)


def test_a_seal_holds_the_networks_and_the_limits(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part", thresholds=SegmentThresholds(min_area_px=20.0))
    assert load_recipe(folder).views["top"].segment is not None
    (folder / "top" / "segment.toml").write_text("min_area_px = 21.0\n")
    with pytest.raises(RecipeError, match=r"segment.toml: was changed since the recipe was sealed"):
        load_recipe(folder)


def made_int8(folder: Path, name: str, *, source: str = "") -> None:
    """The network itself, as if it had been made in int8, of the sealed one or of another `source`."""
    path = folder / "top" / name
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    note = DerivedNote(
        format=1,
        precision="int8",
        source_sha256=source or sha256,
        sha256=sha256,
        images_sha256="0" * 64,
        images=1,
        layers=1,
        kept=[],
        parity_px=ParityPx(0.0, 0.0, 0.0),
        versions={},
    )
    write_derived(derived_path(folder, path, "int8"), path.read_bytes(), note)


def test_in_another_precision_a_network_that_was_not_made_in_it_runs_as_it_is(tmp_path: Path) -> None:
    folder = make_defect_recipe(tmp_path / "part")
    for name in ("coarse.onnx", "refine.onnx"):
        made_int8(folder, name)
    inspector = Inspector.load(load_recipe(folder), precision="int8")
    assert len(decided(inspector, with_defect(frame_with_part(), 120, 100)).defects) == 1
    made_int8(folder, "segment_decoder.onnx", source="0" * 64)
    with pytest.raises(RecipeError, match=r"int8.onnx: was made from another segment_decoder.onnx"):
        Inspector.load(load_recipe(folder), precision="int8")


def test_frames_of_any_size_give_the_same_defect(tmp_path: Path) -> None:
    """Scaled up, the part and its defect are the same in every number but those in px."""
    inspector = loaded(tmp_path, region=(0, 0, 512, 512))
    frame = cv2.resize(with_defect(frame_with_part(), 120, 100), (512, 512), interpolation=cv2.INTER_NEAREST)
    (defect,) = decided(inspector, np.asarray(frame, np.uint8)).defects
    assert defect.box == (240.0, 200.0, 32.0, 16.0)
    assert defect.area_px == 512.0
