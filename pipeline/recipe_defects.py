"""What a person writes about defects in recipe.toml: how many and how large they may be, on the part and in its zones."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
MM2, PX2 = "mm2", "px2"  # as UCUM writes them: plain letters, that any terminal and picture can show


class SegmentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Defects are looked for in this view. Without any limit none is allowed.

    Attributes:
        when: "always", or "needed": only where the view's own keypoints and measurements have not made the part NOT_OK.
        max_area_mm2, max_area_px: the largest that is allowed; one of the two. mm² where the view has a scale.
        max_count: so many at most, of whatever size is allowed.
    """

    when: Literal["always", "needed"] = "needed"
    max_area_mm2: Positive | None = None
    max_area_px: Positive | None = None
    max_count: Count | None = None

    def __post_init__(self) -> None:
        """Refuse two limits of one kind."""
        if self.max_area_mm2 is not None and self.max_area_px is not None:
            raise ValueError("max_area_mm2 and max_area_px limit the same; write one of them")

    def limit(self) -> "DefectLimit":
        """What is allowed on the whole part."""
        return _limit(self.max_area_mm2, self.max_area_px, self.max_count)


class ZoneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An area of the part with limits of its own, beside those of the view. It lies where the part's keypoints say.

    A defect that reaches into it counts, with all of its area. Without any limit none may.

    Attributes:
        polygon: its corners in order: names of keypoints, or [x, y] in mm in `datum`.
        datum: where [x, y] are from.
        grow_mm: by how much it is larger than its polygon, on all sides.
        max_defect_mm2, max_defect_px: the largest that is allowed; one of the two.
        max_count: so many at most.
        view: needed only where the keypoints' names occur in several views.
    """

    polygon: Annotated[list[str | tuple[float, float]], msgspec.Meta(min_length=3, max_length=256)]
    datum: str | None = None
    grow_mm: NotNegative = 0.0
    max_defect_mm2: Positive | None = None
    max_defect_px: Positive | None = None
    max_count: Count | None = None
    view: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys that do not belong together."""
        has_places = any(isinstance(corner, tuple) for corner in self.polygon)
        if has_places and self.datum is None:
            raise ValueError("corners [x, y] need the datum that they are in: write datum = NAME")
        if self.datum is not None and not has_places:
            raise ValueError("datum belongs to corners [x, y]; this polygon has keypoints only")
        doubled = next((one for one, two in pairwise([*self.polygon, self.polygon[0]]) if one == two), None)
        if doubled is not None:
            raise ValueError(f"polygon has the corner {doubled!r} twice in a row")
        if self.max_defect_mm2 is not None and self.max_defect_px is not None:
            raise ValueError("max_defect_mm2 and max_defect_px limit the same; write one of them")

    def keypoints(self) -> tuple[str, ...]:
        """The keypoints among its corners."""
        return tuple(corner for corner in self.polygon if isinstance(corner, str))

    def needs_scale(self) -> str:
        """The key that is in mm; empty where none is."""
        given = {"polygon": self.datum is not None, "grow_mm": self.grow_mm > 0, "max_defect_mm2": self.max_defect_mm2}
        return next((key for key, is_given in given.items() if is_given), "")

    def limit(self) -> "DefectLimit":
        """What is allowed in it."""
        return _limit(self.max_defect_mm2, self.max_defect_px, self.max_count)


@dataclass(frozen=True, slots=True)
class DefectLimit:
    """What is allowed: the largest area, None where any will do, in mm² or px²; and how many, None where any number will."""

    area: float | None
    is_mm2: bool
    count: int | None


def _limit(mm2: float | None, px: float | None, count: int | None) -> DefectLimit:
    """None at all are allowed where nothing is written, or a count of 0."""
    if count == 0 or (mm2 is None and px is None and count is None):
        return DefectLimit(0.0, is_mm2=mm2 is not None, count=None)
    return DefectLimit(px if mm2 is None else mm2, is_mm2=mm2 is not None, count=count)
