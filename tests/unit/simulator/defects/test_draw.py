"""Whole frames with and without their defects: what changes, and that the masks say so."""

from collections import Counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.defects.defect import LEAST_LEVELS
from simulator.defects.mark import Kind
from simulator.families import blueprint
from simulator.render import Occlusion, PartRenderer, Rendered
from simulator.scene import sample_scene
from simulator.surface import PartSurface
from simulator.truth import PartTruth

SEEDS = range(500, 520)


@pytest.fixture(scope="module")
def renderer() -> PartRenderer:
    return PartRenderer()


@pytest.fixture(scope="module")
def pairs(renderer: PartRenderer) -> list[tuple[Rendered, Rendered]]:
    return [(renderer.render(seed), renderer.render(seed, defects=1.0)) for seed in SEEDS]


def difference(good: Rendered, bad: Rendered) -> NDArray[np.float32]:
    return bad.image.astype(np.float32) - good.image.astype(np.float32)


def near(mask: NDArray[np.bool_], distance_px: int) -> NDArray[np.bool_]:
    span = 2 * distance_px + 1
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (span, span))) > 0


def test_a_part_is_the_same_with_and_without_defects(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for good, bad in pairs:
        assert good.defects == ()
        assert bad.defects != ()
        assert good.xy_sensor_px.tobytes() == bad.xy_sensor_px.tobytes()
        assert good.state.tobytes() == bad.state.tobytes()
        assert good.attributes == bad.attributes
        assert good.box_xywh_sensor_px == bad.box_xywh_sensor_px


def test_all_kinds_come_in_all_strengths(pairs: list[tuple[Rendered, Rendered]]) -> None:
    defects = [defect for _, bad in pairs for defect in bad.defects]
    assert set(Counter(defect.kind for defect in defects)) == set(Kind)
    levels = [defect.levels for defect in defects]
    assert LEAST_LEVELS <= min(levels) < 20
    assert max(levels) > 40
    assert min(defect.area_px for defect in defects) < 100
    assert max(defect.area_px for defect in defects) > 1000
    assert {len(bad.defects) for _, bad in pairs} >= {1, 2}


def test_a_mask_holds_what_changed_by_as_much_as_it_says(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for good, bad in pairs:
        size = np.abs(difference(good, bad))
        for defect in bad.defects:
            mask = defect.on(bad.image.shape)
            assert mask.sum() == defect.area_px
            # Rounding to grey levels before and after the lens makes single pixels differ by one.
            assert np.quantile(size[mask], 0.9) >= defect.levels - 2.0
            assert (size[mask] >= 1).mean() > 0.6, defect.kind


def test_nothing_that_is_seen_has_no_mask(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for good, bad in pairs:
        size = np.abs(difference(good, bad))
        strongest = max(defect.levels for defect in bad.defects)
        masks = np.any([defect.on(bad.image.shape) for defect in bad.defects], axis=0)
        away = ~near(masks, 4 + round(2 * good.attributes["blur_px"]))
        assert size[away].max() <= max(0.5 * strongest, 2.0)
        x, y, w, h = good.box_xywh_sensor_px
        part = np.zeros_like(masks)
        part[max(0, int(y) - 40) : int(y + h) + 40, max(0, int(x) - 40) : int(x + w) + 40] = True
        assert not size[~part].any(), "the conveyor stays as it is, to the last bit"


def test_defects_lie_on_the_metal_and_burrs_stick_out_of_it(pairs: list[tuple[Rendered, Rendered]]) -> None:
    surface, truth = PartSurface(blueprint("bracket"), width=1280, height=1024), PartTruth(blueprint("bracket"))
    outside = []
    for seed, (_, bad) in zip(SEEDS, pairs, strict=True):
        rng = np.random.default_rng(seed)
        scene = sample_scene(blueprint("bracket"), rng, Occlusion.ORDINARY, width=1280, height=1024)
        drawn = surface.draw(scene, truth.box_px(scene))
        metal = np.zeros(bad.image.shape, bool)
        (x, y), (height, width) = drawn.at, drawn.solid.shape
        metal[y : y + height, x : x + width] = drawn.solid > 127
        for defect in bad.defects:
            beside = (defect.on(bad.image.shape) & ~metal).sum() / defect.area_px
            if defect.kind is Kind.BURR:
                outside.append(beside)
            else:
                assert beside == 0.0
    assert min(outside) > 0.15


def test_defects_never_touch(pairs: list[tuple[Rendered, Rendered]]) -> None:
    for _, bad in pairs:
        masks = [defect.on(bad.image.shape) for defect in bad.defects]
        for index, mask in enumerate(masks):
            for other in masks[:index]:
                assert not (near(mask, 3) & other).any()


def test_a_larger_share_only_adds_parts_with_defects(renderer: PartRenderer) -> None:
    with_some = {}
    for share in (0.3, 0.7):
        frames = [renderer.render(seed, occlusion=Occlusion.NONE, defects=share) for seed in range(600, 624)]
        with_some[share] = {index: frame.image.tobytes() for index, frame in enumerate(frames) if frame.defects}
    assert 2 <= len(with_some[0.3]) < len(with_some[0.7]) <= 22
    assert with_some[0.3].items() <= with_some[0.7].items()


def test_the_same_seed_gives_the_same_defects(pairs: list[tuple[Rendered, Rendered]]) -> None:
    again = PartRenderer().render(SEEDS[0], defects=1.0)
    assert again.image.tobytes() == pairs[0][1].image.tobytes()
    for one, other in zip(again.defects, pairs[0][1].defects, strict=True):
        assert (one.kind, one.at, one.levels) == (other.kind, other.at, other.levels)
        assert (one.mask == other.mask).all()


def test_what_is_covered_has_no_mask(renderer: PartRenderer) -> None:
    """Below occluders the picture with defects is that without: a mask must have changed pixels all over."""
    for seed in range(700, 706):
        good = renderer.render(seed, occlusion=Occlusion.HEAVY)
        bad = renderer.render(seed, occlusion=Occlusion.HEAVY, defects=1.0)
        changed = np.abs(difference(good, bad)) >= 1
        for defect in bad.defects:
            reach = 3 if defect.kind in (Kind.SCRATCH, Kind.BURR) else 30
            assert near(changed, reach)[defect.on(bad.image.shape)].all()
