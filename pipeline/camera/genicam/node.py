"""The features of an open device, over GenApi's nodes."""

from collections.abc import Iterable, Iterator

from pipeline.camera.genicam.vendor import REFUSALS, VENDOR_ERRORS, Untyped, genapi, mapped, or_none, ours, text_of
from pipeline.camera_settings import Feature
from pipeline.errors import CameraError, CameraLost

INT64 = (-(2**63), 2**63 - 1)


class DeviceNode:
    """One feature; see `features.Node`."""

    def __init__(self, name: str, node: Untyped, where: str) -> None:
        """Made by `DeviceNodes.find`."""
        self.name = name
        self._node = node
        self._where = f"{where}: feature {name}"
        self.kind = _KINDS.get(node.node.principal_interface_type)

    @property
    def is_writable(self) -> bool:
        """Writable in the camera's present state."""
        return self._access() in (genapi.EAccessMode.RW, genapi.EAccessMode.WO)

    @property
    def is_readable(self) -> bool:
        """Readable in the camera's present state."""
        return self._access() in (genapi.EAccessMode.RW, genapi.EAccessMode.RO)

    @property
    def increment(self) -> float:
        """Step between float values, 0 where there is none."""
        if self.kind is not float:
            return 0.0
        return float(or_none(lambda: self._node.inc) or 0.0)

    def read(self, *, fresh: bool = False) -> Feature:
        """The value; with `fresh` from the device itself. Raises CameraError or CameraLost."""
        try:  # not `ours`, which costs more than the reading of a chunk
            value: Feature = self._node.get_value(False, True) if fresh else self._node.value
        except VENDOR_ERRORS as problem:
            raise mapped(problem, self._where) from None
        return value

    def write(self, value: Feature) -> None:
        """Set the value. Raises CameraError with what is allowed, or CameraLost."""
        try:
            self._node.value = value
        except REFUSALS as problem:
            raise CameraError(
                f"refuses {value!r} ({text_of(problem)})", where=self._where, allowed=self.allowed()
            ) from None
        except VENDOR_ERRORS as problem:
            raise CameraLost(f"cannot be written ({text_of(problem)})", where=self._where) from None

    def execute(self) -> None:
        """Execute a command. Raises CameraError or CameraLost."""
        with ours(self._where):
            self._node.execute()

    def allowed(self) -> str:
        """What may be written now, in words; "" where the camera does not tell."""
        node = self._node
        if self.kind is bool:
            return "true or false"
        entries = or_none(lambda: [entry for entry in node.entries if _access(entry) in _READABLE])
        if entries:
            return ", ".join(entry.symbolic for entry in entries)
        low, high = or_none(lambda: node.min), or_none(lambda: node.max)
        if low is None or high is None:
            return "text" if self.kind is str else ""
        if low <= INT64[0] and high >= INT64[1]:
            return "a whole number"
        step, unit = or_none(lambda: node.inc), or_none(lambda: node.unit)
        return f"{low} to {high}" + (f" in steps of {step}" if step else "") + (f" {unit}" if unit else "")

    def _access(self) -> int:
        return _access(self._node)


class DeviceNodes:
    """The features of one device; see `features.Nodes`."""

    def __init__(self, node_map: Untyped, where: str) -> None:
        """Made by `Device`; `where` names the camera in messages."""
        self.where = where
        self._map = node_map

    def find(self, name: str) -> DeviceNode | None:
        """The feature of this name, None where the camera has none."""
        if not self._map.has_node(name):
            return None
        node = getattr(self._map, name, None)
        return None if node is None else DeviceNode(name, node, self.where)

    def names(self) -> Iterable[str]:
        """Names of all features that have a value or are commands."""
        return sorted(self._walk(self._map.Root)) if self._map.has_node("Root") else []

    def _walk(self, category: Untyped) -> Iterator[str]:
        for feature in category.features:
            if hasattr(feature, "features"):
                yield from self._walk(feature)
            else:
                yield feature.node.name


_KINDS: dict[int, type[bool] | type[int] | type[float] | type[str]] = {
    genapi.EInterfaceType.intfIInteger: int,
    genapi.EInterfaceType.intfIBoolean: bool,
    genapi.EInterfaceType.intfIFloat: float,
    genapi.EInterfaceType.intfIString: str,
    genapi.EInterfaceType.intfIEnumeration: str,
}
_READABLE = (genapi.EAccessMode.RW, genapi.EAccessMode.RO)


def _access(node: Untyped) -> int:
    return int(or_none(node.node.get_access_mode) or genapi.EAccessMode.NI)
