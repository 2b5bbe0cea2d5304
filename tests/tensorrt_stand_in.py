"""A module that stands for `tensorrt` where its libraries cannot be: the names and signatures of tensorrt_signatures.txt.

Its plans hold the network itself, which ONNX Runtime runs on the memory that was bound, when the stream comes to it.
"""
# ruff: noqa: A002, ANN401, ARG002 - the signatures are the library's

import ctypes
from enum import Enum, IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends.onnxruntime import OnnxRuntimeEngine
from engines.onnx_file import read_spec
from engines.spec import TensorSpec
from tests.host_driver import Call, HostDriver

FILE = Path(__file__)
HEAD = b"plan of a stand-in"
WORKSPACE_BYTES = 1024


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(Enum):
    TF32 = 7


class TensorIOMode(Enum):
    NONE, INPUT, OUTPUT = 0, 1, 2


class ExecutionContextAllocationStrategy(Enum):
    STATIC, ON_PROFILE_CHANGE, USER_MANAGED = 0, 1, 2


class IProgressMonitor:
    def __init__(self) -> None:
        self.was_made = True


class Logger:
    ERROR = 1

    def __init__(self, min_severity: int) -> None:
        self.min_severity = min_severity


class _Parser:
    def __init__(self, network: Any, logger: Logger) -> None:
        self._network, self.num_errors = network, 0

    def parse(self, model: bytes) -> bool:
        self._network.model = model
        self.num_errors = int(b"Unheard" in model)
        return not self.num_errors

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(
            desc=lambda: f"no importer\nis registered for fault {index}", node_operator=lambda: "Unheard"
        )


class _Config:
    def __init__(self) -> None:
        self.max_aux_streams: int | None = None
        self.progress_monitor: Any = None
        self.cleared: list[BuilderFlag] = []
        self.profiles: list[dict[str, tuple[Any, Any, Any]]] = []

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.cleared.append(flag)

    def add_optimization_profile(self, profile: Any) -> int:
        self.profiles.append(profile.shapes)
        return 0


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, input: str, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        assert min <= opt <= max
        self.shapes[input] = (min, opt, max)


class StandIn:
    """The module. `context_count` counts the contexts that were made; `built` the configurations that were built with."""

    __version__ = "11.4.0"
    NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
    BuilderFlag = BuilderFlag
    TensorIOMode = TensorIOMode
    ExecutionContextAllocationStrategy = ExecutionContextAllocationStrategy
    IProgressMonitor = IProgressMonitor
    Logger = Logger
    OnnxParser = _Parser

    def __init__(self, driver: HostDriver | None = None) -> None:
        self.driver = driver
        self.context_count = 0
        self.built: list[_Config] = []

    def nptype(self, trt_type: Any) -> Any:
        return trt_type.type

    def Builder(self, logger: Any) -> Any:  # noqa: N802 - its name
        return _Builder(self)

    def Runtime(self, logger: Any) -> Any:  # noqa: N802 - its name
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: _Engine(self, plan) if plan[:18] == HEAD else None)


class _Builder:
    def __init__(self, module: StandIn) -> None:
        self._module = module

    def create_network(self, flags: int) -> Any:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return SimpleNamespace(model=b"")

    def create_builder_config(self) -> _Config:
        return _Config()

    def create_optimization_profile(self) -> _Profile:
        return _Profile()

    def build_serialized_network(self, network: Any, config: _Config) -> bytearray | None:
        monitor = config.progress_monitor
        assert monitor.was_made, "a binding's class that was not initialised cannot be called from C++"
        monitor.phase_start("Building", None, 2)
        monitor.phase_start("Timing", "Building", 10)
        go_on = all(monitor.step_complete("Timing", step) for step in range(10)) and monitor.step_complete(
            "Building", 0
        )
        monitor.phase_finish("Timing")
        go_on = go_on and monitor.step_complete("Building", 1)
        monitor.phase_finish("Building")
        self._module.built.append(config)
        return bytearray(HEAD + network.model) if go_on else None


class _Engine:
    def __init__(self, module: StandIn, plan: bytes) -> None:
        self.module, self.network = module, plan[len(HEAD) :]
        self.spec = read_spec(self.network)
        self._tensors = [*self.spec.inputs, *self.spec.outputs]
        self.num_io_tensors = len(self._tensors)
        self.device_memory_size_v2 = WORKSPACE_BYTES

    def _tensor(self, name: str) -> TensorSpec:
        return next(tensor for tensor in self._tensors if tensor.name == name)

    def get_tensor_name(self, index: int) -> str:
        return self._tensors[index].name

    def get_tensor_dtype(self, name: str) -> Any:
        return self._tensor(name).dtype

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensor(name).sized(-1)

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if self._tensor(name) in self.spec.inputs else TensorIOMode.OUTPUT

    def create_execution_context(self, strategy: ExecutionContextAllocationStrategy) -> "_Context":
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        self.module.context_count += 1
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._memory = (0, 0)
        self._session = OnnxRuntimeEngine(engine.network, threads=1)

    def set_device_memory(self, memory: int, size: int) -> None:
        self._memory = (memory, size)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        assert memory % 256 == 0 or name in self._shapes
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        driver = self._engine.module.driver
        assert driver is not None
        assert stream_handle == driver.stream
        assert self._memory[0], "no working memory"
        assert self._memory[1] >= WORKSPACE_BYTES
        addresses = dict(self._addresses)  # as a graph would keep them

        def run() -> None:
            spec = self._engine.spec
            inputs = {
                tensor.name: _at(addresses[tensor.name], self._shapes[tensor.name], tensor.dtype)
                for tensor in spec.inputs
            }
            found = self._session.run({name: array.copy() for name, array in inputs.items()})
            rows = len(next(iter(inputs.values())))
            for tensor in spec.outputs:
                _at(addresses[tensor.name], tensor.sized(rows), tensor.dtype)[...] = found[tensor.name]

        driver.ask(Call("execute_async_v3", run))
        return True


def _at(address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int(np.prod(shape)) * dtype.itemsize
    memory = np.ctypeslib.as_array((ctypes.c_ubyte * count).from_address(address))
    return memory.view(dtype).reshape(shape)
