"""OpenVINO on the CPU, fp32."""

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import Tensors
from engines.errors import EngineRefused, EngineUnavailable, one_line
from engines.inputs import KeptInputs, batch_of
from engines.onnx_file import read_spec

# Importing openvino imports its conversion tools, which tell a server on the internet that it was imported, and leave a number of
# this machine in the home folder. It does without them: a daemon converts nothing, and tells nobody.
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # None stops an import

try:
    import openvino as ov

    # The public one makes dictionaries of its inputs and outputs every time. It is private: a later version may lack it.
    _infer = ov._pyopenvino.InferRequest.infer
except (ImportError, AttributeError) as missing:
    raise EngineUnavailable(f"openvino cannot be imported ({missing})", "pip install 'datumd[openvino]'") from None


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one batch size needs, kept from run to run: the request with its outputs in our own buffers."""

    request: ov.InferRequest
    outputs: dict[str, NDArray[Any]]
    inputs: KeptInputs = field(default_factory=KeptInputs)


class OpenVinoEngine:
    """A network compiled once for any batch size and, faster, for each size that it is warmed up for."""

    backend = f"openvino {ov.__version__.split('-')[0]}"

    def __init__(self, network: bytes, *, threads: int) -> None:
        """Load `network`, the bytes of an ONNX file. Raises EngineRefused."""
        self.spec = read_spec(network)
        self._network = network
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # else the threads of every network sit on the same first cores
            # Without this a CPU that has bfloat16 takes it: keypoints move by a sixth of a pixel, and nothing says so.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._core = ov.Core()
        self._any_batch: ov.CompiledModel | None = self._compile(None)
        self._batches: dict[int, _Batch] = {}

    def warm_up(self, batch: int) -> None:
        """See Engine. Compiles the network for this size: what is met unannounced runs in the one for any size."""
        if self._any_batch is None:
            raise EngineRefused("the network was closed")
        self._batches[batch] = self._hold(self._compile(batch), batch)
        self.run({tensor.name: np.zeros(tensor.sized(batch), tensor.dtype) for tensor in self.spec.inputs})

    def run(self, inputs: Tensors) -> Tensors:
        """See Engine."""
        if self._any_batch is None:
            raise EngineRefused("the network was closed")
        batch = batch_of(self.spec, inputs)
        held = self._batches.get(batch)
        if held is None:
            held = self._batches[batch] = self._hold(self._any_batch, batch)
        try:
            for name, array in held.inputs.moved(inputs):
                held.request.set_tensor(name, ov.Tensor(array, shared_memory=True))
            _infer(held.request, {}, True, False)  # nothing to set; outputs are shared; no text among them
        except Exception as problem:  # the library's own errors share no class of theirs
            raise EngineRefused(f"the network failed: {one_line(problem)}") from None
        return held.outputs

    def close(self) -> None:
        """See Engine."""
        self._any_batch = None
        self._batches.clear()

    def _compile(self, batch: int | None) -> ov.CompiledModel:
        try:
            model = self._core.read_model(self._network)
            if batch is not None:
                model.reshape({tensor.name: ov.PartialShape(tensor.sized(batch)) for tensor in self.spec.inputs})
            return self._core.compile_model(model, "CPU", self._settings)
        except Exception as problem:  # the library's own errors share no class of theirs
            raise EngineRefused(f"is no network that OpenVINO accepts: {one_line(problem)}") from None

    def _hold(self, compiled: ov.CompiledModel, batch: int) -> _Batch:
        request = compiled.create_infer_request()
        outputs = {tensor.name: np.empty(tensor.sized(batch), tensor.dtype) for tensor in self.spec.outputs}
        for name, array in outputs.items():
            request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        return _Batch(request, outputs)
