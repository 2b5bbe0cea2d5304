"""One question to a teacher, and its answer as people and programs read it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import msgspec
import numpy as np

from training.teach.proposal import FindsKeypoints, Image

_COLOUR = (80, 255, 80)
_SHIFT = 4  # fractional bits of drawn positions


class Reply(msgspec.Struct, frozen=True):
    """What was asked and what is answered; x, y in px of the photograph, pixel centres at integers."""

    asked: str
    x: float
    y: float
    keypoint: str
    part: str
    confidence: float
    visible: bool
    text: str

    def line(self) -> str:
        """One line for a person."""
        where = f"{self.x:.1f},{self.y:.1f}"
        if not self.visible:
            return f"{self.asked}: not seen; most likely at {where} (confidence {self.confidence:.2f})"
        named = self.keypoint or "no name"
        of = f" of {self.part}" if self.part else ""
        return f"{self.asked}: {named}{of} at {where} (confidence {self.confidence:.2f})"


def asked_at(teacher: FindsKeypoints, picture: Image, place: tuple[float, float]) -> Reply:
    """What is at x, y?"""
    answer = teacher.name_at(picture, np.array(place, np.float64))
    x, y = place
    return Reply(f"{x:g},{y:g}", x, y, answer.keypoint, answer.part, answer.confidence, True, answer.text)


def asked_where(teacher: FindsKeypoints, picture: Image, words: Sequence[str]) -> list[Reply]:
    """Where is each of what is described?"""
    if not words:
        return []
    (found,) = teacher.locate_words([picture], words)
    return [
        Reply(asked, float(one.xy_px[0]), float(one.xy_px[1]), one.name, "", one.confidence, one.visible, one.text)
        for asked, one in zip(words, found, strict=True)
    ]


def drawn_answers(picture: Image, replies: Sequence[Reply]) -> Image:
    """A copy of the photograph (H, W, 3) BGR with a ring and the words at each place that was seen."""
    drawn = picture.copy()
    size = max(0.5, max(picture.shape[:2]) / 1600)
    for reply in (reply for reply in replies if reply.visible and np.isfinite((reply.x, reply.y)).all()):
        centre = (round(reply.x * 2**_SHIFT), round(reply.y * 2**_SHIFT))
        corner = (round(reply.x + 14 * size), round(reply.y - 10 * size))
        for thick, shade in ((4, (0, 0, 0)), (2, _COLOUR)):
            width = max(1, round(thick * size))
            cv2.circle(drawn, centre, round(10 * size * 2**_SHIFT), shade, width, cv2.LINE_AA, _SHIFT)
            cv2.putText(
                drawn, reply.keypoint or reply.asked, corner, cv2.FONT_HERSHEY_SIMPLEX, size, shade, width, cv2.LINE_AA
            )
    return drawn
