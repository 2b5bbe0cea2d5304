"""What a person writes about quantities in recipe.toml: datum frames, edges that are looked for, and what is measured."""

from collections.abc import Collection, Iterator
from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Step = Annotated[float, msgspec.Meta(ge=1.0, le=255.0)]
Place = str | tuple[float, float]  # a keypoint, or x, y in a datum
Line = str | tuple[str, str]  # an edge_line, or through two points

KINDS = ("distance", "position", "angle", "perpendicularity", "pitch", "circle", "area", "presence")
LENGTHS = {"distance", "position", "perpendicularity", "pitch", "circle"}
_LEAST_POINTS = {"pitch": 2, "circle": 3, "area": 3}


class DatumSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame of the part: its origin, and a second point on its x axis. y is x turned as the image's axes are."""

    origin: str
    x_axis: str

    def __post_init__(self) -> None:
        """Refuse an axis of no length."""
        if self.origin == self.x_axis:
            raise ValueError(f"origin and x_axis are both {self.origin!r}")


class EdgeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An edge that is looked for about where the keypoints say it lies; lengths in mm where the view has a scale, else px.

    Attributes:
        search: how far to either side of that it may lie.
        datum: where places [x, y] are from.
        contrast: grey levels that it must step by at least.
        found: share of the places looked at that must show it, on one line or circle.
        view: needed only where the keypoints' names occur in several views.
    """

    search: Positive
    datum: str | None = None
    contrast: Step = 8.0
    found: Share = 0.5
    view: str | None = None

    def places(self) -> tuple[Place, ...]:
        """What it is placed by."""
        return ()

    def keypoints(self) -> tuple[str, ...]:
        """The keypoints among these."""
        return tuple(place for place in self.places() if isinstance(place, str))

    def check(self) -> None:
        """Raises ValueError where the datum and the places do not belong together."""
        has_coordinates = any(isinstance(place, tuple) for place in self.places())
        if has_coordinates and self.datum is None:
            raise ValueError("places [x, y] need the datum that they are in: write datum = NAME")
        if self.datum is not None and not has_coordinates:
            raise ValueError("datum belongs to places [x, y]")


class EdgeCircleSettings(EdgeSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rim of a hole or a disc.

    Attributes:
        centre: about where its centre lies.
        radius: about how large it is.
        dark: which side of it is darker.
    """

    centre: Place
    radius: Positive
    dark: Literal["inside", "outside", "either"] = "either"

    def __post_init__(self) -> None:
        """Refuse keys that do not belong together."""
        if self.search >= self.radius:
            raise ValueError(f"search {self.search} reaches over the centre: radius is {self.radius}")
        self.check()

    def places(self) -> tuple[Place, ...]:
        """Its centre."""
        return (self.centre,)


class EdgeLineSettings(EdgeSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A straight edge.

    Attributes:
        ends: it runs about from the first to the second.
        inset: share of its length that is left out at each end, where corners are.
        dark: which side of it is darker, seen along it from the first end to the second.
    """

    ends: tuple[Place, Place]
    inset: Annotated[float, msgspec.Meta(ge=0.0, le=0.45)] = 0.1
    dark: Literal["left", "right", "either"] = "either"

    def __post_init__(self) -> None:
        """Refuse keys that do not belong together."""
        if self.ends[0] == self.ends[1]:
            raise ValueError(f"both ends are {self.ends[0]!r}")
        self.check()

    def places(self) -> tuple[Place, ...]:
        """Its ends."""
        return self.ends


class MeasureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One quantity: exactly one of the kinds; lengths in mm where the view has a scale, else in px.

    A point is a keypoint, or an edge_circle, whose centre is meant. A line is an edge_line, or two points [p, q].

    Attributes:
        distance: two points, or a point and a line: then the length of the perpendicular; or two edge_lines: then that
            from the middle of the second to the first.
        position: a point against `nominal` [x, y] in `datum`; the value is the diameter of the circle about nominal
            that it lies on (ISO 1101), its limit `diameter`.
        angle: direction from the first point to the second in degrees, from the x axis of `datum` or of the image to
            its y axis; or, of two lines, from the first to the second.
        perpendicularity: of the first line to the second, the datum: the width of the zone at a right angle to the datum
            that the first line's length takes (ISO 1101), its limit `width`.
        pitch: points in a row: of the distances between neighbours the one that is farthest from nominal.
        circle: the diameter of an edge_circle, or of the circle through three points or more.
        area: of an edge_circle, or of the polygon with these points as corners, in mm2 or px2.
        presence: a keypoint or an edge: 1 where it is there to be seen, else 0; nominal 1, or 0 where it must not be.
        tolerance: how far the value may lie from nominal: t for ±t, or [below, above].
        view: needed only where a keypoint's name occurs in several views.
    """

    distance: tuple[Line, Line] | None = None
    position: str | None = None
    angle: tuple[Line, Line] | None = None
    perpendicularity: tuple[Line, Line] | None = None
    pitch: list[str] | None = None
    circle: str | list[str] | None = None
    area: str | list[str] | None = None
    presence: str | None = None
    datum: str | None = None
    nominal: float | tuple[float, float] | None = None
    # Its limit is checked below: msgspec 0.22 crashes on a constrained number in one union with a tuple.
    tolerance: float | tuple[float, float] | None = None
    diameter: Positive | None = None
    width: Positive | None = None
    view: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys that do not belong together."""
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}")
        names = self.keypoints()
        pairs = [end for end in (self.angle or self.perpendicularity or ()) if isinstance(end, tuple)]
        is_twice = any(one == two for one, two in pairs) if pairs else len(set(names)) < len(names)
        if is_twice:  # but a corner belongs to both of its lines
            raise ValueError(f"names a keypoint twice: {', '.join(names)}")
        least = _LEAST_POINTS.get(kinds[0], 0)
        if isinstance(getattr(self, kinds[0]), list) and len(names) < least:
            raise ValueError(f"{kinds[0]} needs at least {least} points; found {', '.join(names) or 'none'}")
        self._check_nominal()
        self._check_tolerance()
        if self.datum is not None and (self.position is None and (self.angle is None or self.has_lines)):
            needs = "distance is between two keypoints or a keypoint and a line, and" if self.distance else kinds[0]
            raise ValueError(f"{needs} needs no datum")
        if self.distance is not None and all(isinstance(end, tuple) for end in self.distance):
            raise ValueError("distance is between two keypoints or a keypoint and a line, and needs no datum")

    def _check_nominal(self) -> None:
        if self.position is not None:
            if self.datum is None or not isinstance(self.nominal, tuple) or self.tolerance is not None:
                raise ValueError("position needs datum, nominal = [x, y] and, as its limit, diameter")
        elif self.diameter is not None or isinstance(self.nominal, tuple):
            raise ValueError("diameter and nominal = [x, y] belong to position")
        if self.perpendicularity is not None:
            if self.nominal is not None or self.tolerance is not None:
                raise ValueError("perpendicularity needs no nominal and, as its limit, width")
        elif self.width is not None:
            raise ValueError("width belongs to perpendicularity")
        if self.presence is not None and (self.nominal not in (None, 0.0, 1.0) or self.tolerance is not None):
            raise ValueError("of presence nominal is 1 or 0, and it has no tolerance")
        if self.pitch is not None and self.nominal is None:
            raise ValueError("pitch needs nominal, which it is farthest from")

    def _check_tolerance(self) -> None:
        if self.tolerance is not None and self.nominal is None:
            raise ValueError("tolerance needs nominal")
        if isinstance(self.tolerance, float) and self.tolerance < 0.0:
            raise ValueError(f"tolerance {self.tolerance} is below 0")
        if isinstance(self.tolerance, tuple) and self.tolerance[0] > self.tolerance[1]:
            raise ValueError(f"tolerance {list(self.tolerance)} is [above, below]; write [below, above]")

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def has_lines(self) -> bool:
        """Whether a line given by two points is among what is measured."""
        ends = self.distance or self.angle or self.perpendicularity or ()
        return any(isinstance(end, tuple) for end in ends)

    def keypoints(self) -> tuple[str, ...]:
        """Names of what is measured: keypoints and edges, without those of the datum."""
        found: Iterator[str | tuple[str, str] | list[str] | None] = iter(
            (
                *(self.distance or ()),
                self.position,
                *(self.angle or ()),
                *(self.perpendicularity or ()),
                self.pitch,
                self.circle,
                self.area,
                self.presence,
            )
        )
        flat = [(end,) if isinstance(end, str) else end for end in found if end is not None]
        return tuple(name for names in flat for name in names)

    def check_edges(self, circles: Collection[str], lines: Collection[str]) -> None:
        """Raises ValueError where an edge is named that cannot stand there; these are the edges there are, by kind."""
        ends = self.distance or self.angle or self.perpendicularity or ()
        is_line = [isinstance(end, tuple) or end in lines for end in ends]
        if self.perpendicularity is not None and not all(is_line):
            raise ValueError(f"perpendicularity is between two lines: {ends[is_line.index(False)]} is a point")
        if self.angle is not None and is_line[0] != is_line[1]:
            raise ValueError("angle is between two points or two lines")
        pairs = [name for end in ends if isinstance(end, tuple) for name in end]
        listed = [name for names in (self.pitch, self.circle, self.area) if isinstance(names, list) for name in names]
        for name in (*pairs, *listed, *([self.position] if self.position else [])):
            if name in lines:
                raise ValueError(f"{name} is a line, where a point is needed")
        for named in (self.circle, self.area):
            if isinstance(named, str) and named not in circles:
                known = f"one of {', '.join(circles)}, or " if circles else ""
                raise ValueError(f"{named!r} is no edge_circle; allowed: {known}a list of three points or more")
