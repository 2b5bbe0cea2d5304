"""Where the parts of a frame are."""

from typing import Protocol

from engines.devices.device import AnyDevice
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.recipe_file import LocateSettings
from pipeline.result import Reason
from pipeline.stages.blob import BlobLocate

MOST_PARTS = 256  # in a frame; each has images of its own, so that more would be a matter of memory


class Locate(Protocol):
    """Finds the regions of the parts in a frame, and says why they cannot be trusted, if so."""

    def __call__(self, frame: Frame) -> tuple[list[Region], tuple[Reason, ...]]:
        """Regions in sensor px, in the order of the parts: by rows from the top, from left to right within a row."""


class FixedLocate:
    """The regions that the recipe gives, in its order."""

    def __init__(self, regions: list[Region], view: str) -> None:
        """For a view whose parts always lie in `regions`."""
        self._regions, self._view = regions, view

    def __call__(self, frame: Frame) -> tuple[list[Region], tuple[Reason, ...]]:
        """See Locate. A region that reaches out of the frame was written for another camera: nothing there counts."""
        if any(reaches_out(region, (frame.info.width, frame.info.height)) for region in self._regions):
            return [_shown(region, frame) for region in self._regions], (Reason("region_outside", view=self._view),)
        return self._regions, ()


class CountedBlobs:
    """Blobs, as many as the recipe wants."""

    def __init__(self, blobs: BlobLocate, count: int | None, view: str) -> None:
        """With `count` None any number up to MOST_PARTS will do."""
        self._blobs, self._count, self._view = blobs, count, view

    def __call__(self, frame: Frame) -> tuple[list[Region], tuple[Reason, ...]]:
        """See Locate. With another number of parts nobody knows which is which, or whether two were taken for one."""
        regions = in_reading_order(self._blobs(frame))
        wanted = self._count if self._count is not None else min(len(regions), MOST_PARTS)
        if not regions or len(regions) == wanted:
            return regions, ()
        reason = Reason("part_count", view=self._view, value=float(len(regions)), limit=float(wanted))
        return regions[:MOST_PARTS], (reason,)


def make_locate(settings: LocateSettings, view: str, device: AnyDevice) -> Locate:
    """The way to locate that a recipe names, on images that live on `device`."""
    if settings.blob is not None:
        return CountedBlobs(BlobLocate(settings.blob, device), settings.count, view)
    boxes = settings.nests if settings.fixed is None else [settings.fixed]
    return FixedLocate([Region(*box) for box in boxes or []], view)


def in_reading_order(regions: list[Region]) -> list[Region]:
    """Rows from the top, left to right within a row; one row is what overlaps the middle of its uppermost region."""
    ordered: list[Region] = []
    rest = sorted(regions, key=lambda region: (region.y, region.x))
    while rest:
        middle = rest[0].y + rest[0].h / 2
        row = [region for region in rest if region.y <= middle]
        ordered += sorted(row)
        rest = [region for region in rest if region.y > middle]
    return ordered


def reaches_out(region: Region, size_wh: tuple[int, int]) -> bool:
    """Whether a region in sensor px is not all within a frame of this width and height."""
    right, bottom = region.x + region.w, region.y + region.h
    return region.x < 0 or region.y < 0 or right > size_wh[0] or bottom > size_wh[1]


def _shown(region: Region, frame: Frame) -> Region:
    """What the frame shows of a region; at least one px at its rim."""
    left, top = (
        min(max(start, 0.0), size - 1.0)
        for start, size in ((region.x, frame.info.width), (region.y, frame.info.height))
    )
    right, bottom = min(region.x + region.w, frame.info.width), min(region.y + region.h, frame.info.height)
    return Region(left, top, max(right - left, 1.0), max(bottom - top, 1.0))
