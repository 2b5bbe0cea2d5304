"""Defects against what the recipe allows."""

from collections.abc import Iterator, Sequence

from pipeline.recipe_defects import MM2, PX2, DefectLimit
from pipeline.result import Defect, Reason


def exceeded(defects: Sequence[Defect], limit: DefectLimit, *, zone: str, view: str) -> Iterator[Reason]:
    """Why these defects of one part are too many or too large; nothing where they are allowed.

    Args:
        defects: on the whole part, or those that reach into a zone.
        limit: what is allowed there.
        zone: its name, "" for the whole part.
        view: its name.
    """
    if not defects:
        return
    in_mm2 = limit.is_mm2 or (limit.area == 0.0 and all(defect.area_mm2 is not None for defect in defects))
    areas = [defect.area_mm2 if in_mm2 else defect.area_px for defect in defects]
    known = [area for area in areas if area is not None]  # one in mm² that nobody knows is not within a limit
    if limit.area is not None and (len(known) < len(areas) or max(known) > limit.area):
        value, unit = max(known, default=None), MM2 if in_mm2 else PX2
        yield Reason("defect", name=zone, view=view, value=value, limit=limit.area, unit=unit)
    if limit.count is not None and len(defects) > limit.count:
        yield Reason("defects", name=zone, view=view, value=float(len(defects)), limit=float(limit.count))
