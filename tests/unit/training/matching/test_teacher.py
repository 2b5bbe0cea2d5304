from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.geometry import Points
from tests.marked_parts import NAMES, photograph, plate, points_at
from training.matching.teacher import MatchingTeacher, RefiningTeacher
from training.teach.proposal import Image, Proposal

SUPPORT = photograph(plate(), 0)
MARKED = points_at(plate())
TEACHER = MatchingTeacher()  # learns the example once


def test_points_are_found_on_a_part_that_is_turned_larger_and_lit_otherwise() -> None:
    poses = [plate(142.0, 1.08, (150.0, 118.0)), plate(-35.0, 0.93, (172.0, 125.0)), plate(0.0)]
    images = [
        photograph(pose, seed, gain=gain)
        for seed, (pose, gain) in enumerate(zip(poses, (0.6, 1.3, 1.0), strict=True), 1)
    ]
    for pose, found in zip(poses, TEACHER.locate_like(images, SUPPORT, MARKED, NAMES), strict=True):
        assert [one.name for one in found] == list(NAMES)
        errors = np.hypot(*(np.array([one.xy_px for one in found]) - points_at(pose)).T)
        assert errors.max() < 1.0
        assert all(one.visible and one.confidence > 0.6 for one in found)


def test_a_covered_point_is_told_and_its_place_is_kept() -> None:
    pose = plate(20.0)
    image = photograph(pose, 4, covered=tuple(points_at(pose)[0]))
    (found,) = TEACHER.locate_like([image], SUPPORT, MARKED, NAMES)
    assert [one.visible for one in found] == [False, True, True, True]
    assert found[0].confidence < 0.3
    assert np.hypot(*(found[0].xy_px - points_at(pose)[0])) < 3.0


@pytest.mark.parametrize("kind", ["noise", "flat", "black", "small"])
def test_nothing_is_claimed_where_there_is_no_part(kind: str) -> None:
    rng = np.random.default_rng(1)
    image = {
        "noise": rng.normal(100, 30, (240, 320)).clip(0, 255).astype(np.uint8),
        "flat": np.full((240, 320), 120, np.uint8),
        "black": np.zeros((240, 320), np.uint8),
        "small": rng.integers(0, 255, (20, 20), np.uint8),
    }[kind]
    (found,) = TEACHER.locate_like([image], SUPPORT, MARKED)
    assert not any(one.visible for one in found)
    assert np.isfinite([one.xy_px for one in found]).all()


def test_one_point_alone_is_found() -> None:
    pose = plate(30.0)
    (found,) = MatchingTeacher(rotation_deg=45.0).locate_like([photograph(pose, 3)], SUPPORT, MARKED[:1], ["hole"])
    assert np.hypot(*(found[0].xy_px - points_at(pose)[0])) < 2.0


def test_a_flat_example_is_no_crash_and_no_claim() -> None:
    flat = np.full((240, 320), 90, np.uint8)
    (found,) = MatchingTeacher(rotation_deg=15.0).locate_like([SUPPORT], flat, MARKED)
    assert not any(one.visible for one in found)


def test_a_point_outside_of_the_example_is_refused() -> None:
    with pytest.raises(DataError, match="outside"):
        MatchingTeacher().locate_like([SUPPORT], SUPPORT, np.array([[400.0, 10.0]]))


def test_words_need_a_model() -> None:
    with pytest.raises(DataError, match="--model"):
        MatchingTeacher().locate_words([SUPPORT], ["the hole"])


class Rough(MatchingTeacher):
    """Answers as a network would: some px off, one point on the other side of the part."""

    def locate_like(
        self, images: Sequence[Image], support_image: Image, xy_px: Points, names: Sequence[str] | None = None
    ) -> list[list[Proposal]]:
        del images, support_image, xy_px, names
        off = points_at(plate(25.0)) + np.array([(4, -3), (-3, 4), (5, 2), (90, -60)], np.float64)
        return [[Proposal(f"{index}", xy, 0.5, True, "told") for index, xy in enumerate(off)]]


def test_rough_proposals_become_exact() -> None:
    pose = plate(25.0)
    (found,) = RefiningTeacher(Rough()).locate_like([photograph(pose, 7)], SUPPORT, MARKED, NAMES)
    assert np.hypot(*(np.array([one.xy_px for one in found]) - points_at(pose)).T).max() < 1.0
    assert all(one.text.startswith("told; ") for one in found)


def test_proposals_stay_where_nothing_fits() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (240, 320), np.uint8)
    (found,) = RefiningTeacher(Rough()).locate_like([noise], SUPPORT, MARKED, NAMES)
    assert [one.text for one in found] == ["told"] * 4
