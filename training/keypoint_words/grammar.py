"""Names of keypoints and what people say for them: a place on the part, what is there, and which end of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Random = np.random.Generator

PLACES = {
    "upper left": ("upper left", "top left"),
    "upper": ("upper", "top"),
    "upper right": ("upper right", "top right"),
    "left": ("left",),
    "central": ("central", "middle", "centre"),
    "right": ("right",),
    "lower left": ("lower left", "bottom left"),
    "lower": ("lower", "bottom"),
    "lower right": ("lower right", "bottom right"),
}
KINDS = {
    "hole": ("hole", "bore", "small hole", "drilling"),
    "large hole": ("large hole", "big hole", "wide bore"),
    "screw hole": ("screw hole", "countersink", "countersunk hole"),
    "slot": ("slot", "groove", "long hole"),
    "notch": ("notch", "nick", "cut"),
    "tab": ("tab", "lug", "tongue"),
    "corner": ("corner", "edge tip"),
    "pin": ("pin", "prong"),
    "boss": ("boss", "raised ring"),
}
ENDS = {"left": ("left",), "right": ("right",), "upper": ("upper", "top"), "lower": ("lower", "bottom")}
_PLAIN = (
    "the {place} {kind}",
    "{place} {kind}",
    "the {kind} at the {place}",
    "{kind}, {place}",
    "centre of the {place} {kind}",
)
_OF_END = (
    "the {end} end of the {place} {kind}",
    "{place} {kind}, {end} end",
    "{end} end of {place} {kind}",
    "the {place} {kind} at its {end} end",
)


@dataclass(frozen=True)
class KeypointName:
    """A keypoint in words. ``end`` is empty but where one thing has two keypoints."""

    place: str
    kind: str
    end: str = ""

    def __str__(self) -> str:
        end = f" {self.end} end" if self.end else ""
        return f"{self.place} {self.kind}{end}"


def described(rng: Random, name: KeypointName) -> str:
    """What one person may say for it."""
    forms = _OF_END if name.end else _PLAIN
    return str(rng.choice(forms)).format(
        place=rng.choice(PLACES[name.place]),
        kind=rng.choice(KINDS[name.kind]),
        end=rng.choice(ENDS[name.end]) if name.end else "",
    )


def answer(part: str, keypoint: str) -> str:
    """The text that is answered."""
    return f" part: {part}; keypoint: {keypoint}; position: <kpt>"


def read_answer(text: str) -> tuple[str, str]:
    """Part and keypoint of an answer; empty strings where it is not of that form."""
    fields = dict(field.strip().split(": ", 1) for field in text.split(";") if ": " in field.strip())
    return fields.get("part", "").strip(), fields.get("keypoint", "").strip()


def instruction(words: str = "") -> str:
    """What is asked: where the described keypoint is, or without words, the one that is marked in the support image.

    What stands in angle brackets is not spelled: features take its place.
    """
    return f" find: {words} <part>;" if words else " find: the <ref> <match> <place> <kind> <end> <part>;"


def vocabulary(parts: tuple[str, ...]) -> tuple[str, ...]:
    """All words of names, descriptions and answers, sorted."""
    texts = [
        *parts,
        *_PLAIN,
        *_OF_END,
        *(word for said in (PLACES, KINDS, ENDS) for words in said.values() for word in words),
    ]
    words = {word.strip(",") for text in texts for word in text.split() if "{" not in word}
    return tuple(sorted(words | {"part", "keypoint", "position", "find"}))
