"""The one door to harvesters and genicam: what this package uses of them, and their errors made ours."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

with warnings.catch_warnings():  # harvesters sets a filter for the whole process; SWIG's types warn from Python 3.12 on
    warnings.simplefilter("ignore", DeprecationWarning)
    from genicam import genapi, gentl
    from harvesters.core import Harvester, ParameterKey, ParameterSet

from pipeline.errors import CameraError, CameraLost

__all__ = ["Harvester", "ParameterKey", "ParameterSet", "genapi", "gentl"]

VENDOR_ERRORS = (gentl.GenericException, genapi.GenericException)
REFUSALS = (
    genapi.AccessException,
    genapi.OutOfRangeException,
    genapi.InvalidArgumentException,
    genapi.LogicalErrorException,
    genapi.PropertyException,
)

log = logging.getLogger("datumd.genicam")

Untyped = Any  # an object of the vendor's: no types are published for them
T = TypeVar("T")


@contextmanager
def ours(where: str) -> Iterator[None]:
    """The vendor's exceptions as CameraError (it refuses) or CameraLost (it does not answer)."""
    try:
        yield
    except VENDOR_ERRORS as problem:
        raise mapped(problem, where) from None


def mapped(problem: Exception, where: str) -> CameraError | CameraLost:
    """A vendor's exception as CameraError (it refuses) or CameraLost (it does not answer)."""
    if isinstance(problem, REFUSALS):
        return CameraError(f"is refused by the camera ({text_of(problem)})", where=where)
    return CameraLost(f"does not answer ({text_of(problem)})", where=where)


def quietly(action: Callable[[], object]) -> bool:
    """Clean up as far as a device that may be gone allows; False where it raised."""
    try:
        action()
    except Exception as problem:  # vendors raise what they like
        log.debug("clean-up: %r", problem)
        return False
    return True


def or_none(read: Callable[[], T]) -> T | None:
    """What `read` gives, None where the camera or producer does not tell it."""
    try:
        return read()
    except (*VENDOR_ERRORS, AttributeError):
        return None


def text_of(problem: BaseException) -> str:
    """A vendor's message on one line, without the place in its C++ source."""
    text = " ".join(str(problem).split()).partition("Exception thrown ")[0]
    return text.rpartition(" : ")[0].rstrip(".") or text or type(problem).__name__
