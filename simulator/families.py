"""The families of parts that can be rendered, by name."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import DatumdError
from simulator.bracket import bracket
from simulator.clip import clip
from simulator.connector import connector
from simulator.cover import cover
from simulator.flange import flange
from simulator.hinge import hinge
from simulator.parts import Blueprint

_FAMILIES: dict[str, Callable[[], Blueprint]] = {
    "bracket": bracket,
    "connector": connector,
    "flange": flange,
    "hinge": hinge,
    "clip": clip,
    "cover": cover,
}


def families() -> tuple[str, ...]:
    """Names of all families; the first is the default."""
    return tuple(_FAMILIES)


def blueprint(family: str) -> Blueprint:
    """The blueprint of a family.

    Raises:
        DatumdError: there is no family of that name.
    """
    if family not in _FAMILIES:
        raise DatumdError(f"there is no part family {family!r}", where="--family", allowed=", ".join(_FAMILIES))
    return _FAMILIES[family]()
