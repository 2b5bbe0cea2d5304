from collections.abc import Sequence

import msgspec
import numpy as np

from pipeline.geometry import Points
from training.review.asking import asked_at, asked_where, drawn_answers
from training.teach.proposal import Answer, Image, Proposal

PICTURE = np.full((120, 160, 3), 90, np.uint8)


class Knowing:
    """A teacher with fixed answers."""

    def locate_like(
        self, images: Sequence[Image], support_image: Image, xy_px: Points, names: Sequence[str] | None = None
    ) -> list[list[Proposal]]:
        raise NotImplementedError

    def locate_words(self, images: Sequence[Image], words: Sequence[str]) -> list[list[Proposal]]:
        seen = Proposal("hole", np.array([40.25, 60.0]), 0.8, True, "part: plate; keypoint: hole")
        lost = Proposal("tip", np.array([np.nan, np.nan]), 0.1, False, "no such thing")
        return [[seen, lost][: len(words)] for _ in images]

    def name_at(self, image: Image, xy_px: Points) -> Answer:
        assert image is PICTURE
        return Answer("plate", "hole", f"at {xy_px.tolist()}", 0.75)


def test_answers_are_lines_for_people_and_json_for_programs() -> None:
    named = asked_at(Knowing(), PICTURE, (40.0, 60.0))
    assert named.line() == "40,60: hole of plate at 40.0,60.0 (confidence 0.75)"
    seen, lost = asked_where(Knowing(), PICTURE, ["the hole", "the tip"])
    assert seen.line() == "the hole: hole at 40.2,60.0 (confidence 0.80)"
    assert lost.line().startswith("the tip: not seen")
    assert msgspec.json.decode(msgspec.json.encode(lost))["x"] is None
    assert asked_where(Knowing(), PICTURE, []) == []


def test_only_what_was_seen_is_drawn_on_a_copy() -> None:
    seen, lost = asked_where(Knowing(), PICTURE, ["the hole", "the tip"])
    drawn = drawn_answers(PICTURE, [seen, lost])
    assert (PICTURE == 90).all()
    changed = np.argwhere((drawn != 90).any(-1))
    assert np.hypot(*(changed - (60, 40)).T).min() < 8
    assert np.array_equal(drawn_answers(PICTURE, [lost]), PICTURE)
