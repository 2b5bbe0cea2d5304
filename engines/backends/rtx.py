"""TensorRT for RTX on a GPU, as a plug-in of ONNX Runtime. It builds when it loads, so that `auto` does not take it."""

from functools import cache
from importlib import import_module
from typing import Any

from engines.backends.onnxruntime import OnnxRuntimeEngine, Plugin, plugin_devices
from engines.devices import libcuda
from engines.errors import EngineUnavailable
from engines.onnx_file import read_spec
from engines.spec import NetworkSpec

PACKAGE = "onnxruntime_ep_nv_tensorrt_rtx"
INSTALL = "pip install 'datumd[rtx]'"
USUAL, MOST = 16, 256  # rows of a batch: what it is tuned for, and what it takes


class RtxEngine(OnnxRuntimeEngine):
    """A session whose every node runs on the first GPU; inputs and outputs are copied there and back by ONNX Runtime."""

    def __init__(self, network: bytes, *, threads: int) -> None:
        """Build `network`, the bytes of an ONNX file, for the GPU: seconds.

        Raises:
            EngineUnavailable: there is no GPU that it runs on.
            EngineRefused: it does not accept the network, or only a part of it.
        """
        if what := missing():
            raise EngineUnavailable(what)
        plugin = Plugin(_devices()[0], settings(read_spec(network)))
        super().__init__(network, threads=threads, plugin=plugin)
        self.backend = f"tensorrt-rtx {_package().__version__}, {self.backend}"


def missing() -> str | None:
    """What keeps it from running here, in one line; None where nothing does.

    The driver is asked first: importing the package loads 240 MB of libraries, and without a driver they can do nothing.
    """
    if what := libcuda.missing():
        return what
    try:
        found = _devices()
    except EngineUnavailable as problem:
        return str(problem)
    return (
        None
        if found
        else "the GPU is none of those that TensorRT for RTX has code for: compute capability 8.6, 8.9, 12.0 on"
    )


def settings(spec: NetworkSpec) -> dict[str, str]:
    """The plug-in's settings for a network: batches of 1 to MOST rows in one build, working memory that is kept."""

    def shapes(batch: int) -> str:
        return ",".join(f"{tensor.name}:{'x'.join(map(str, tensor.sized(batch)))}" for tensor in spec.inputs)

    return {
        "nv_profile_min_shapes": shapes(1),
        "nv_profile_opt_shapes": shapes(USUAL),
        "nv_profile_max_shapes": shapes(MOST),
        "nv_persistent_context_memory": "1",
    }


@cache
def _devices() -> list[Any]:
    package = _package()
    return plugin_devices(package.get_ep_name(), package.get_library_path())


def _package() -> Any:  # noqa: ANN401 - the package has no types
    try:
        return import_module(PACKAGE)
    except ImportError as problem:
        raise EngineUnavailable(f"{PACKAGE} cannot be imported ({problem})", INSTALL) from None
