"""Camera features by their SFNC names: set in the given order, each read back."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Protocol

from pipeline.camera_settings import Feature
from pipeline.errors import CameraError

SHOWN_NAMES = 3
INT64 = 2**63


class Node(Protocol):
    """One feature of a camera. Methods raise CameraError where the camera refuses and CameraLost where it is gone."""

    name: str
    kind: type[bool] | type[int] | type[float] | type[str] | None  # None = a command or category: it has no value

    @property
    def is_writable(self) -> bool: ...  # noqa: D102 - as its name says

    @property
    def is_readable(self) -> bool: ...  # noqa: D102 - as its name says

    @property
    def increment(self) -> float:
        """Step between float values, 0 where the camera tells none."""
        ...

    def read(self, *, fresh: bool = False) -> Feature:
        """The value; with `fresh` from the device itself, past any cache."""
        ...

    def write(self, value: Feature) -> None: ...  # noqa: D102 - as its name says

    def execute(self) -> None: ...  # noqa: D102 - as its name says

    def allowed(self) -> str:
        """What may be written now, in words."""
        ...


class Nodes(Protocol):
    """All features of one camera; `where` names it in messages."""

    where: str

    def find(self, name: str) -> Node | None: ...  # noqa: D102 - as its name says

    def names(self) -> Iterable[str]: ...  # noqa: D102 - as its name says


def apply(nodes: Nodes, features: Mapping[str, Feature]) -> None:
    """Set the features in their order and read each back.

    Raises:
        CameraError: no such feature, not writable now, a value that is refused, or one that reads back otherwise.
    """
    for name, value in features.items():
        set_feature(nodes, name, value)


def set_feature(nodes: Nodes, name: str, value: Feature) -> None:
    """Set one feature and read it back; the same errors as `apply`. A command is executed by `true`."""
    node = require(nodes, name)
    where = f"{nodes.where}: feature {name}"
    if not node.is_writable:
        raise CameraError(
            f"cannot be set to {shown(value)}: it is not writable now",
            where=where,
            allowed="features that the camera lets write in its present state; order matters, selectors come first",
        )
    if node.kind is None:
        if value is not True:
            raise CameraError(f"is a command, found {shown(value)}", where=where, allowed="true, which executes it")
        node.execute()
        return
    wanted = _as_kind(node, value, where)
    node.write(wanted)
    got = node.read(fresh=True) if node.is_readable else wanted
    if not _same(wanted, got, node.increment):
        raise CameraError(
            f"was set to {shown(wanted)} but reads back {shown(got)}", where=where, allowed=node.allowed()
        )


def require(nodes: Nodes, name: str) -> Node:
    """The feature of this name. Raises CameraError with names that are near where there is none."""
    node = nodes.find(name)
    if node is not None:
        return node
    near = difflib.get_close_matches(name, list(nodes.names()), n=SHOWN_NAMES, cutoff=0.5)
    hint = f"near names: {', '.join(near)}" if near else "the camera's own feature names (SFNC)"
    raise CameraError(f"has no feature {name}", where=nodes.where, allowed=hint)


def optional(nodes: Nodes, name: str) -> Feature | None:
    """The value of a feature that not every camera has."""
    node = nodes.find(name)
    return node.read() if node is not None and node.kind is not None and node.is_readable else None


def shown(value: Feature) -> str:
    """A value as a station file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_kind(node: Node, value: Feature, where: str) -> Feature:
    """`value` in the node's type; an integer does for a float node, nothing else is converted."""
    if isinstance(value, int) and not -INT64 <= value < INT64:  # the binding would raise a TypeError
        raise CameraError(f"cannot be set to {shown(value)}", where=where, allowed=node.allowed())
    if node.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is node.kind:
        return value
    raise CameraError(f"cannot be set to {shown(value)!r}", where=where, allowed=node.allowed())


def _same(wanted: Feature, got: Feature, increment: float) -> bool:
    """Equal, or for floats no further apart than one step (or rounding in the camera) explains."""
    if isinstance(wanted, float) and isinstance(got, float):
        return abs(wanted - got) <= max(increment, 1e-6 * abs(wanted), 1e-9)
    return wanted == got
