"""8-bit networks: ranges of what layers read, from calibration images, and the Q/DQ nodes that state them.

The rules are those that TensorRT 10 and 11, OpenVINO and ONNX Runtime share (TensorRT's are the strictest): signed 8 bits,
zero points of 0, one scale for every output channel of a weight and one for a whole activation, biases in float. Q/DQ nodes
stand before layers only, so that TensorRT and OpenVINO fuse a layer with what follows it: bias, sum of a shortcut, ReLU.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import engines.backends.onnxruntime  # noqa: F401 - first: it keeps the library from telling a server that it is used

# isort: split
import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import TensorData

from calibration import onnx_graph
from engines.engine import Tensors
from engines.load import load_engine

PERCENTILES = (99.99, 99.999, 100.0)
_BINS = 8192
_TRIED = 60

Ranges = Mapping[str, float]  # tensor to the largest magnitude that is kept, above 0


class Histograms:
    """How often each magnitude occurs in the tensors that layers read."""

    def __init__(self, model: onnx_graph.Model, batches: Sequence[Tensors]) -> None:
        """Run the network twice over `batches` of its inputs: for the largest magnitudes, and for how they are spread."""
        self._names = onnx_graph.layer_inputs(model)
        self._largest = dict.fromkeys(self._names, 0.0)
        self._counts = {name: np.zeros(_BINS, np.int64) for name in self._names}
        with tempfile.TemporaryDirectory(prefix="datumd-int8-") as folder:
            path = Path(folder) / "shown.onnx"
            path.write_bytes(onnx_graph.with_outputs(model, self._names))
            engine = load_engine(path, backend="onnxruntime")
            for name, values in _magnitudes((engine.run(batch) for batch in batches), self._names):
                self._largest[name] = max(self._largest[name], float(values.max(initial=0.0)))
            for name, values in _magnitudes((engine.run(batch) for batch in batches), self._names):
                bins = values * np.float32((_BINS - 1) / max(self._largest[name], 1e-30))
                self._counts[name] += np.bincount(bins.astype(np.int32), minlength=_BINS)[:_BINS]
            engine.close()

    def percentile(self, percentile: float) -> Ranges:
        """Below which so many per cent of a tensor's magnitudes lie; zeros, which ReLU makes, do not count."""
        return {name: self._range(name, percentile) for name in self._names}

    def least_squares(self) -> Ranges:
        """At which rounding, and cutting off what lies above, err least in the mean square."""
        return {name: self._least_squares(name) for name in self._names}

    def _least_squares(self, name: str) -> float:
        counts, largest = self._counts[name].astype(np.float64), self._largest[name]
        middles = np.arange(_BINS) / (_BINS - 1)
        best, range_of_best = math.inf, 1.0
        for limit in np.geomspace(0.05, 1.0, _TRIED):
            rounded = np.minimum(np.rint(middles / limit * 127), 127) * (limit / 127)
            error = float((counts * (middles - rounded) ** 2).sum())
            if error < best:
                best, range_of_best = error, float(limit)
        return largest * range_of_best if largest else 1.0

    def _range(self, name: str, percentile: float) -> float:
        counts = self._counts[name].copy()
        counts[0] = 0
        total = int(counts.sum())
        if not total:
            return max(self._largest[name], 1.0)
        place = int(np.searchsorted(np.cumsum(counts), total * percentile / 100.0))
        return self._largest[name] * min(place + 1, _BINS - 1) / (_BINS - 1)


def _magnitudes(runs: Iterable[Tensors], names: Sequence[str]) -> Iterable[tuple[str, NDArray[np.float32]]]:
    for outputs in runs:
        for name in names:
            yield name, np.abs(outputs[name], dtype=np.float32).ravel()


def to_int8(model: onnx_graph.Model, ranges: Ranges, kept: Collection[str]) -> bytes:
    """The network with Q/DQ nodes before every layer that is not among `kept`.

    Args:
        model: as read; stays as it is.
        ranges: of the tensors that layers read.
        kept: names of layers.
    """
    lowered = set(onnx_graph.layers(model)) - set(kept)
    changed = onnx_graph.Model()
    changed.CopyFrom(model)
    limits = {
        name: TensorData(lowest=np.array(-limit, np.float32), highest=np.array(limit, np.float32))
        for name, limit in ranges.items()
    }
    writer = QDQQuantizer(
        changed,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=limits,
        nodes_to_quantize=[],  # all but:
        nodes_to_exclude=[node.name for node in model.graph.node if node.name not in lowered],
        op_types_to_quantize=[onnx_graph.LAYER],
        extra_options={
            "WeightSymmetric": True,
            "ActivationSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": [onnx_graph.LAYER],
        },
    )
    writer.quantize_model()
    writer.model.topological_sort()
    return onnx_graph.finished(writer.model.model, model)
