"""The virtual camera that comes with the genicam package."""

from importlib.util import find_spec
from pathlib import Path


def viky_path() -> Path:
    """The producer viky.cti: three devices with the serials 0, 1 and 2, RGBa8 or Mono8, no triggers."""
    spec = find_spec("genicam")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("viky.cti")
