"""The families of parts that can be rendered, by name."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import DatumdError
from simulator.bracket import bracket
from simulator.parts import Blueprint

_FAMILIES: dict[str, Callable[[], Blueprint]] = {"bracket": bracket}


def families() -> tuple[str, ...]:
    """Names of all families; the first is the default."""
    return tuple(_FAMILIES)


def blueprint(family: str) -> Blueprint:
    """The blueprint of a family.

    Raises:
        DatumdError: there is no family of that name.
    """
    if family not in _FAMILIES:
        allowed = ", ".join(_FAMILIES)
        raise DatumdError(f"--family: there is no family {family!r}; use one of {allowed}")
    return _FAMILIES[family]()
