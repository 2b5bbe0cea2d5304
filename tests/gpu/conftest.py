"""The marker `gpu`: what a test needs, and what is missing here."""

from pathlib import Path

import pytest

from engines.backends import tensorrt
from engines.build import build_plan
from engines.devices import libcuda
from engines.devices.cuda import CudaDevice, cuda_device
from engines.errors import EngineUnavailable
from pipeline.plans import profiles
from pipeline.recipe import load_recipe
from simulator.demo import RECIPES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-gpu", action="store_true", help="fail, instead of skip, a test whose GPU is missing")


def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("gpu")
    if mark is None:
        return
    what = _missing(wants_tensorrt="tensorrt" in mark.args)
    if what and item.config.getoption("--require-gpu", default=False):
        pytest.fail(what, pytrace=False)
    if what:
        pytest.skip(what)


def _missing(*, wants_tensorrt: bool) -> str | None:
    if wants_tensorrt:
        return tensorrt.missing()
    if what := libcuda.missing():
        return what
    try:
        cuda_device()
    except EngineUnavailable as problem:
        return str(problem)
    return None


@pytest.fixture(scope="session")
def device() -> CudaDevice:
    """The GPU of this process, which all its networks share."""
    return cuda_device()


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plans of the example's networks, in fp32; minutes, once for all tests."""
    folder = tmp_path_factory.mktemp("plans")
    for view in load_recipe(RECIPES / "bracket").views.values():
        for path, profile in profiles(view).items():
            build_plan(path.read_bytes(), profile, "fp32", folder, lambda _: None)
    return folder
