"""recipe.toml: what a person writes about a part. Typed, and checked as far as the file alone allows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pipeline import precision, toml_file
from pipeline.errors import RecipeError
from pipeline.recipe_defects import SegmentSettings, ZoneSettings

FILE_NAME = "recipe.toml"
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Grey = Annotated[float, msgspec.Meta(ge=0.0, le=255.0)]
Percent = Annotated[float, msgspec.Meta(ge=0.0, le=100.0)]
Box = tuple[float, float, Positive, Positive]


class BlobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts that stand out from what they lie on, by their grey level or by their edges.

    Attributes:
        area_px: smallest and largest area of a part in sensor px, as its outline encloses it.
        mode: "grey" looks for levels on one side of the threshold, "edges" for outlines and print on a smooth ground,
            whatever their brightness.
        dark_on_light: of grey: the parts are the darker side.
        threshold: of grey: a fixed level instead of the one that parts the frame's levels best (Otsu 1979).
        margin: widens the region on every side, as a fraction of its longer side.
        cell_px: width of the squares that are averaged before looking; what is smaller is not seen.
        touching: parts may touch: outlines are cut apart where the pieces fill their rectangles better. For parts of a
            compact shape; one with arms or bays would be cut up.
    """

    area_px: tuple[Positive, Positive]
    mode: Literal["grey", "edges"] = "grey"
    dark_on_light: bool = False
    threshold: Grey | None = None
    margin: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] = 0.1
    cell_px: Literal[1, 2, 4, 8, 16, 32] = 8
    touching: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.area_px[0] > self.area_px[1]:
            raise ValueError(f"area_px {list(self.area_px)} is [largest, smallest]; write [smallest, largest]")
        if self.mode == "edges" and (self.threshold is not None or self.dark_on_light):
            raise ValueError('threshold and dark_on_light belong to mode = "grey"')


class LocateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the parts are: one fixed region, several (a tray's nests), or blobs. Regions are x, y, width, height in px.

    `count` is the number of parts that a frame must show; without it any number up to 256 will do.
    """

    fixed: Box | None = None
    nests: Annotated[list[Box], msgspec.Meta(min_length=1)] | None = None
    blob: BlobSettings | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=256)] | None = None

    def __post_init__(self) -> None:
        """Exactly one way to locate."""
        ways = [name for name in ("fixed", "nests", "blob") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"needs exactly one of fixed, nests, blob; found {', '.join(ways) or 'none'}")
        if self.count is not None and self.blob is None:
            raise ValueError("count belongs to blob; fixed regions are as many as are written")


class ImageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a picture must be like to be judged; stages/image.py defines the three measures."""

    grey: tuple[Grey, Grey] | None = None
    saturated_percent: Percent | None = None
    sharpness: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None

    def __post_init__(self) -> None:
        """Refuse a range that no picture lies in."""
        if self.grey is not None and self.grey[0] > self.grey[1]:
            raise ValueError(f"grey {list(self.grey)} is [brightest, darkest]; write [darkest, brightest]")


class ViewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One view of the part. The order of `keypoints` is that of the networks' outputs."""

    locate: LocateSettings
    keypoints: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1024)]
    must_be_present: list[str] = []
    image: ImageSettings = ImageSettings()
    scale_mm_per_px: Positive | None = None
    segment: SegmentSettings | None = None

    def __post_init__(self) -> None:
        """Names must be unique and known, and what is in mm needs a scale."""
        if self.segment is not None and self.segment.max_area_mm2 is not None and self.scale_mm_per_px is None:
            raise ValueError("segment.max_area_mm2 needs scale_mm_per_px; or write max_area_px")
        doubled = next((name for name in self.keypoints if self.keypoints.count(name) > 1), None)
        if doubled is not None:
            raise ValueError(f"keypoint {doubled!r} is named twice")
        strange = next((name for name in self.must_be_present if name not in self.keypoints), None)
        if strange is not None:
            raise ValueError(f"must_be_present names {strange!r}, which is none of keypoints")


class DatumSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame of the part: its origin, and a second keypoint on its x axis. y is x turned as the image's axes are."""

    origin: str
    x_axis: str

    def __post_init__(self) -> None:
        """Refuse an axis of no length."""
        if self.origin == self.x_axis:
            raise ValueError(f"origin and x_axis are both {self.origin!r}")


class MeasureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One quantity: exactly one of distance, position and angle; lengths in mm where the view has a scale, else in px.

    Attributes:
        distance: two keypoints, or a keypoint and a line given by two: then the length of the perpendicular.
        position: a keypoint against `nominal` [x, y] in `datum`; the value is the diameter of the circle about nominal
            that it lies on (ISO 1101), its limit `diameter`.
        angle: direction from the first keypoint to the second in degrees, from the x axis of `datum` or of the image to
            its y axis.
        tolerance: how far the value may lie from nominal: t for ±t, or [below, above].
        view: needed only where a keypoint's name occurs in several views.
    """

    distance: tuple[str | tuple[str, str], str | tuple[str, str]] | None = None
    position: str | None = None
    angle: tuple[str, str] | None = None
    datum: str | None = None
    nominal: float | tuple[float, float] | None = None
    # Its limit is checked below: msgspec 0.22 crashes on a constrained number in one union with a tuple.
    tolerance: float | tuple[float, float] | None = None
    diameter: Positive | None = None
    view: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys that do not belong together."""
        kinds = [kind for kind in ("distance", "position", "angle") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"needs exactly one of distance, position, angle; found {', '.join(kinds) or 'none'}")
        names = self.keypoints()
        if len(set(names)) < len(names):
            raise ValueError(f"names a keypoint twice: {', '.join(names)}")
        if self.position is not None:
            if self.datum is None or not isinstance(self.nominal, tuple) or self.tolerance is not None:
                raise ValueError("position needs datum, nominal = [x, y] and, as its limit, diameter")
        elif self.diameter is not None or isinstance(self.nominal, tuple):
            raise ValueError("diameter and nominal = [x, y] belong to position")
        elif self.tolerance is not None and self.nominal is None:
            raise ValueError("tolerance needs nominal")
        if self.distance is not None and (
            self.datum is not None or all(isinstance(end, tuple) for end in self.distance)
        ):
            raise ValueError("distance is between two keypoints or a keypoint and a line, and needs no datum")
        if isinstance(self.tolerance, float) and self.tolerance < 0.0:
            raise ValueError(f"tolerance {self.tolerance} is below 0")
        if isinstance(self.tolerance, tuple) and self.tolerance[0] > self.tolerance[1]:
            raise ValueError(f"tolerance {list(self.tolerance)} is [above, below]; write [below, above]")

    def keypoints(self) -> tuple[str, ...]:
        """Names of the keypoints measured, without those of the datum."""
        ends: Iterator[str | tuple[str, str] | None] = iter(
            (*(self.distance or ()), self.position, *(self.angle or ()))
        )
        flat = [(end,) if isinstance(end, str) else end for end in ends if end is not None]
        return tuple(name for names in flat for name in names)


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    format: Literal[1]
    name: Name
    number: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    view: Annotated[dict[Name, ViewSettings], msgspec.Meta(min_length=1)]
    datum: dict[Name, DatumSettings] = {}
    measure: dict[Name, MeasureSettings] = {}
    zone: dict[Name, ZoneSettings] = {}

    def needed(self, wanted: MeasureSettings | ZoneSettings) -> tuple[str, ...]:
        """Names of every keypoint that a measurement or zone needs, those of its datum included, each once."""
        datum = self.datum.get(wanted.datum or "")
        return tuple(dict.fromkeys((*wanted.keypoints(), *((datum.origin, datum.x_axis) if datum else ()))))

    def view_of(self, wanted: MeasureSettings | ZoneSettings) -> str:
        """The one view that shows all keypoints of a measurement or zone. Raises ValueError with what is wrong."""
        if wanted.datum is not None and wanted.datum not in self.datum:
            raise ValueError(f"datum {wanted.datum!r} is not defined; defined: {', '.join(self.datum) or 'none'}")
        if wanted.view is not None and wanted.view not in self.view:
            raise ValueError(f"view {wanted.view!r} is not defined; defined: {', '.join(self.view)}")
        views = {name: self.view[name] for name in ([wanted.view] if wanted.view else self.view)}
        names = self.needed(wanted)
        for name in names:
            if not any(name in view.keypoints for view in views.values()):
                known = ", ".join(f"{view} has {', '.join(settings.keypoints)}" for view, settings in views.items())
                raise ValueError(f"no view has the keypoint {name!r}; {known}")
        showing = [name for name, view in views.items() if set(names) <= set(view.keypoints)]
        if len(showing) != 1:
            found = f"{', '.join(showing)} all show" if showing else "no single view shows"
            raise ValueError(f"{found} {', '.join(names)}; write view = NAME, or stay within one view")
        return showing[0]


def read_recipe_file(path: Path) -> RecipeFile:
    """Read a recipe.toml. Raises RecipeError with the key that is wrong."""
    recipe = toml_file.read(path, RecipeFile, RecipeError)
    if precision.FOLDER in recipe.view:
        where = toml_file.at(path, "view", precision.FOLDER)
        raise RecipeError("is no name for a view: networks in other precisions lie in that folder", where=where)
    for kind, tables in (("measure", recipe.measure), ("zone", recipe.zone)):
        for name, wanted in tables.items():
            try:
                _check_view(recipe, wanted)
            except ValueError as problem:
                raise RecipeError(str(problem), where=toml_file.at(path, kind, name)) from None
    return recipe


def _check_view(recipe: RecipeFile, wanted: MeasureSettings | ZoneSettings) -> None:
    """Raises ValueError where no view, or no fitting one, shows what is wanted."""
    name = recipe.view_of(wanted)
    if isinstance(wanted, MeasureSettings):
        return
    view, key = recipe.view[name], wanted.needs_scale()
    if view.segment is None:
        raise ValueError(f"no defects are looked for in view {name}: write [view.{name}.segment]")
    if key and view.scale_mm_per_px is None:
        raise ValueError(f"{key} is in mm, and view {name} has no scale_mm_per_px")
