"""Where images live: where all engines of a view can take them."""

from types import SimpleNamespace
from typing import Any

from engines.devices.cpu import CpuDevice
from engines.engine import device_of


def engine(device: object) -> Any:  # noqa: ANN401 - what is looked at of an engine
    return SimpleNamespace(device=device)


def test_images_live_on_the_device_that_all_engines_share() -> None:
    gpu, other = object(), object()
    assert device_of([engine(gpu), engine(gpu)]) is gpu
    for engines in (
        [],
        [SimpleNamespace()],
        [engine(gpu), SimpleNamespace()],
        [engine(gpu), engine(other)],
        [engine(None)],
    ):
        assert isinstance(device_of(engines), CpuDevice)
