"""recipe.toml: what a person writes about a part. Typed, and checked as far as the file alone allows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pipeline import precision, toml_file
from pipeline.errors import RecipeError
from pipeline.recipe_defects import NotNegative, SegmentSettings, ZoneSettings
from pipeline.recipe_masters import MastersSettings
from pipeline.recipe_measure import (
    DatumSettings,
    EdgeCircleSettings,
    EdgeLineSettings,
    EdgeSettings,
    MeasureSettings,
)

FILE_NAME = "recipe.toml"
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Scale = Annotated[float, msgspec.Meta(ge=1e-9, le=1e6)]  # from atoms to landscapes
ScaleSigma = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
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
    """One view of the part. The order of `keypoints` is that of the networks' outputs.

    `unit` is what lengths in this view are in: by default mm where it has a scale, else px. A recipe for calibrated cameras
    says "mm" and needs no scale; without a calibration nothing is measured then. `scale_sigma_mm_per_px` is the standard
    uncertainty of `scale_mm_per_px`; without it, and without a calibration, no measurement states its own.
    `height_mm` is how far above the calibrated plane, towards the camera, lies what is measured; `height_sigma_mm` how sure
    that is. Both are for cameras with a calibration.
    """

    locate: LocateSettings
    keypoints: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=1024)]
    must_be_present: list[str] = []
    image: ImageSettings = ImageSettings()
    scale_mm_per_px: Scale | None = None
    scale_sigma_mm_per_px: ScaleSigma | None = None
    unit: Literal["mm", "px"] | None = None
    height_mm: float = 0.0
    height_sigma_mm: NotNegative = 0.0
    segment: SegmentSettings | None = None

    def __post_init__(self) -> None:
        """Names must be unique and known, and what is in mm needs a scale."""
        if self.segment is not None and self.segment.max_area_mm2 is not None and not self.is_in_mm:
            raise ValueError('segment.max_area_mm2 needs scale_mm_per_px or unit = "mm"; or write max_area_px')
        if self.unit == "px" and self.scale_mm_per_px is not None:
            raise ValueError('unit = "px" and scale_mm_per_px contradict each other')
        if self.scale_sigma_mm_per_px is not None and self.scale_mm_per_px is None:
            raise ValueError("scale_sigma_mm_per_px needs scale_mm_per_px")
        doubled = next((name for name in self.keypoints if self.keypoints.count(name) > 1), None)
        if doubled is not None:
            raise ValueError(f"keypoint {doubled!r} is named twice")
        strange = next((name for name in self.must_be_present if name not in self.keypoints), None)
        if strange is not None:
            raise ValueError(f"must_be_present names {strange!r}, which is none of keypoints")

    @property
    def is_in_mm(self) -> bool:
        """Whether lengths in this view are in mm: by its scale, or by its camera's calibration."""
        return self.unit == "mm" or (self.unit is None and self.scale_mm_per_px is not None)


Wanted = MeasureSettings | ZoneSettings | EdgeSettings


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        guard: so many standard uncertainties must lie between a value and its limit, on either side, to decide (ISO 14253-1);
            0 = a value decides as it is. It holds where the uncertainty of the view's scale is stated.
    """

    format: Literal[1]
    name: Name
    number: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    view: Annotated[dict[Name, ViewSettings], msgspec.Meta(min_length=1)]
    datum: dict[Name, DatumSettings] = {}
    measure: dict[Name, MeasureSettings] = {}
    zone: dict[Name, ZoneSettings] = {}
    edge_circle: dict[Name, EdgeCircleSettings] = {}
    edge_line: dict[Name, EdgeLineSettings] = {}
    guard: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 2.0
    masters: MastersSettings | None = None

    @property
    def edges(self) -> dict[str, EdgeCircleSettings | EdgeLineSettings]:
        """Every edge that is looked for, by name."""
        return {**self.edge_circle, **self.edge_line}

    def features(self, wanted: Wanted) -> tuple[str, ...]:
        """Names of every keypoint and edge that a measurement, zone or edge is made from, those of its datum included."""
        datum = self.datum.get(wanted.datum or "")
        return tuple(dict.fromkeys((*wanted.keypoints(), *((datum.origin, datum.x_axis) if datum else ()))))

    def needed(self, wanted: Wanted) -> tuple[str, ...]:
        """Names of every keypoint that a measurement, zone or edge needs, each once: those that place its edges included."""
        edges = self.edges
        found = [self.needed(edges[name]) if name in edges else (name,) for name in self.features(wanted)]
        return tuple(dict.fromkeys(name for names in found for name in names))

    def view_of(self, wanted: Wanted) -> str:
        """The one view that shows all keypoints of a measurement, zone or edge. Raises ValueError with what is wrong."""
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
    for name in recipe.edges:
        where = toml_file.at(path, "edge_circle" if name in recipe.edge_circle else "edge_line", name)
        if name in recipe.edge_circle and name in recipe.edge_line:
            raise RecipeError("is the name of an edge_circle and of an edge_line", where=where)
        if any(name in view.keypoints for view in recipe.view.values()):
            raise RecipeError("is the name of a keypoint, too", where=where)
    tables: dict[str, Mapping[str, Wanted]] = {
        "edge_circle": recipe.edge_circle,
        "edge_line": recipe.edge_line,
        "measure": recipe.measure,
        "zone": recipe.zone,
    }
    for kind, wanted_of in tables.items():
        for name, wanted in wanted_of.items():
            try:
                _check(recipe, wanted)
            except ValueError as problem:
                raise RecipeError(str(problem), where=toml_file.at(path, kind, name)) from None
    _check_masters(recipe, path)
    return recipe


def _check_masters(recipe: RecipeFile, path: Path) -> None:
    """A reason that no result can have would keep the station from ever being Ready."""
    keypoints = [name for view in recipe.view.values() for name in view.keypoints]
    known = {*recipe.measure, *recipe.zone, *recipe.edges, *keypoints}
    for reason in recipe.masters.reasons() if recipe.masters else ():
        name, dot, _ = reason.rpartition(".")
        if dot and name not in known:
            raise RecipeError(
                f"expects {reason}, and {name} is no measurement, zone, edge or keypoint",
                where=toml_file.at(path, "masters", "parts"),
            )


def _check(recipe: RecipeFile, wanted: Wanted) -> None:
    """Raises ValueError where no view, or no fitting one, shows what is wanted, or an edge stands where it cannot."""
    if isinstance(wanted, MeasureSettings):
        _check_measure(recipe, wanted)
        return
    on_edges = [feature for feature in recipe.features(wanted) if feature in recipe.edges]
    if on_edges:
        raise ValueError(f"is placed by keypoints, and {on_edges[0]} is an edge")
    view = recipe.view[recipe.view_of(wanted)]
    if isinstance(wanted, EdgeSettings):
        return
    key = wanted.needs_scale()
    if view.segment is None:
        raise ValueError(
            f"no defects are looked for in view {recipe.view_of(wanted)}: write [view.{recipe.view_of(wanted)}.segment]"
        )
    if key and not view.is_in_mm:
        raise ValueError(f'{key} is in mm, and view {recipe.view_of(wanted)} has no scale_mm_per_px and no unit = "mm"')


def _check_measure(recipe: RecipeFile, wanted: MeasureSettings) -> None:
    view = recipe.view_of(wanted)
    wanted.check_edges(recipe.edge_circle, recipe.edge_line)
    datum = recipe.datum.get(wanted.datum or "")
    for name in (datum.origin, datum.x_axis) if datum else ():
        if name in recipe.edge_line:
            raise ValueError(f"{name} is a line, where datum {wanted.datum} needs a point")
    for name in recipe.features(wanted):
        if name in recipe.edges and recipe.view_of(recipe.edges[name]) != view:
            raise ValueError(f"edge {name} is looked for in another view than {view}")
