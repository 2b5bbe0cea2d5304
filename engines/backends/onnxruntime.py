"""ONNX Runtime on the CPU: the backend that is always there. Its plug-ins, which run networks elsewhere, are loaded here, too."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import Tensors
from engines.errors import EngineRefused, EngineUnavailable, one_line
from engines.inputs import KeptInputs, batch_of
from engines.spec import NetworkSpec, TensorSpec

# From 1.29 on it tells a server on the internet of every process and network, keeps a number of this machine and a database in the
# home folder for it, and a thread that writes there. This is its only switch, and is read when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

try:
    import onnxruntime as ort
except ImportError as missing:
    raise EngineUnavailable(f"onnxruntime cannot be imported ({missing})", "pip install onnxruntime") from None

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(float)": np.dtype(np.float32),
    "tensor(bool)": np.dtype(np.bool_),
}
_FATAL_ONLY = 4  # ONNX Runtime's own log level; errors are raised


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one batch size needs, kept from run to run: the binding with its outputs in our own buffers."""

    binding: ort.IOBinding
    outputs: dict[str, NDArray[Any]]
    inputs: KeptInputs = field(default_factory=KeptInputs)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A device that a plug-in of ONNX Runtime drives, and the plug-in's settings."""

    device: ort.OrtEpDevice
    settings: Mapping[str, str]


class OnnxRuntimeEngine:
    """One inference session; the output buffers of every batch size it has met stay allocated."""

    backend = f"onnxruntime {ort.__version__}"

    def __init__(self, network: bytes, *, threads: int, plugin: Plugin | None = None) -> None:
        """Load `network`, the bytes of an ONNX file, for the CPU or all of it for a plug-in. Raises EngineRefused."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL_ONLY
        # Spinning threads of one session take the cores from the next: a recipe has two or more.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Weights beside the file are not in its hash; without this they are read from the current directory.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        try:
            if plugin is None:
                session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
            else:
                options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
                options.add_provider_for_devices([plugin.device], dict(plugin.settings))
                session = ort.InferenceSession(network, options)
        except Exception as problem:  # the library's own errors share no class of theirs
            raise EngineRefused(f"is no network that ONNX Runtime accepts: {one_line(problem)}") from None
        self._session: ort.InferenceSession | None = session
        self.spec = NetworkSpec(
            inputs=tuple(_tensor(node) for node in session.get_inputs()),
            outputs=tuple(_tensor(node) for node in session.get_outputs()),
            sha256=hashlib.sha256(network).hexdigest(),
            metadata=_metadata(session),
        )
        self._batches: dict[int, _Batch] = {}
        # For a plug-in, binding an input copies it to the device: what lies at the same address must be bound again.
        self._copies_inputs = plugin is not None

    def warm_up(self, batch: int) -> None:
        """See Engine."""
        self.run({tensor.name: np.zeros(tensor.sized(batch), tensor.dtype) for tensor in self.spec.inputs})

    def run(self, inputs: Tensors) -> Tensors:
        """See Engine."""
        if self._session is None:
            raise EngineRefused("the network was closed")
        batch = batch_of(self.spec, inputs)
        held = self._batches.get(batch) or self._allocate(self._session, batch)
        try:
            for name, array in inputs.items() if self._copies_inputs else held.inputs.moved(inputs):
                held.binding.bind_cpu_input(name, array)
            self._session.run_with_iobinding(held.binding)
        except Exception as problem:  # the library's own errors share no class of theirs
            raise EngineRefused(f"the network failed: {one_line(problem)}") from None
        return held.outputs

    def close(self) -> None:
        """See Engine."""
        self._session = None
        self._batches.clear()

    def _allocate(self, session: ort.InferenceSession, batch: int) -> _Batch:
        binding = session.io_binding()
        outputs = {tensor.name: np.empty(tensor.sized(batch), tensor.dtype) for tensor in self.spec.outputs}
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        held = _Batch(binding, outputs)
        self._batches[batch] = held
        return held


def plugin_devices(name: str, library: str) -> list[ort.OrtEpDevice]:
    """The devices that a plug-in finds. Call it once in a process for each.

    Args:
        name: of its execution provider.
        library: its file.

    Raises:
        EngineUnavailable: it cannot be loaded.
    """
    try:
        ort.register_execution_provider_library(name, library)
    except Exception as problem:  # the library's own errors share no class of theirs
        raise EngineUnavailable(f"ONNX Runtime cannot load {name}: {one_line(problem)}") from None
    return [device for device in ort.get_ep_devices() if device.ep_name == name]


def _tensor(node: ort.NodeArg) -> TensorSpec:
    if node.type not in _DTYPES:
        raise EngineRefused(f"tensor {node.name} is a {node.type}; allowed: {', '.join(_DTYPES)}")
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    if None in shape[1:]:
        raise EngineRefused(f"tensor {node.name} has the shape {node.shape}; only the first size may be left open")
    return TensorSpec(node.name, _DTYPES[node.type], shape)


def _metadata(session: ort.InferenceSession) -> dict[str, str]:
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as problem:
        raise EngineRefused(f"its metadata is no text ({problem.reason})") from None
