"""One ONNX file per network: uint8 in, normalisation inside, dynamic batch, and the card that decodes it."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.load import load_engine
from pipeline.errors import NetworkError
from pipeline.network import METADATA_KEY, CoarseCard, RefineCard, write_card
from training.networks.refine import Refine
from training.networks.regression import Regression

OPSET = 18
PARITY_PX = 0.01
_BATCH = 3  # any above 1: a batch of 1 would be taken for a constant


def scaled_visibility(coarse: Regression, refine: Refine, factors: NDArray[np.float64]) -> tuple[Regression, Refine]:
    """Copies whose visibility logits are multiplied by the two factors, so that their plain sum is the best one."""
    coarse, refine = copy.deepcopy(coarse), copy.deepcopy(refine)
    rows = torch.arange(coarse.head.out_features) % 4 >= 2  # x, y, exists, does not exist of each keypoint
    with torch.no_grad():
        coarse.head.weight[rows] = coarse.head.weight[rows] * float(factors[0])
        coarse.head.bias[rows] = coarse.head.bias[rows] * float(factors[0])
        refine.verdict.weight.mul_(float(factors[1]))
        refine.verdict.bias.mul_(float(factors[1]))
    return coarse, refine


def export_coarse(network: Regression, card: CoarseCard, path: Path) -> float:
    """Write coarse.onnx. Returns the largest difference from torch in small-image px; see `_export` for errors."""
    width, height = card.small_wh
    image = torch.randint(0, 256, (_BATCH, height, width, 1), dtype=torch.uint8)
    return _export(network, {"image": image}, ("xy", "visibility"), card, path)


def export_refine(network: Refine, card: RefineCard, path: Path) -> float:
    """Write refine.onnx. Returns the largest difference from torch in patch px; see `_export` for errors."""
    count = len(card.keypoints)
    patches = torch.randint(0, 256, (max(count, 2), card.patch, card.patch, 1), dtype=torch.uint8)
    keypoint = torch.arange(max(count, 2)) % count
    inputs = {"patches": patches, "keypoint": keypoint, "span": keypoint % len(card.spans_px)}
    return _export(network, inputs, ("offset", "visibility"), card, path)


def _export(
    network: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, str], card: CoarseCard | RefineCard, path: Path
) -> float:
    """Write ``network`` and run the file through our own engine.

    Raises:
        NetworkError: the engine's positions differ from torch's by more than `PARITY_PX`.
    """
    network = copy.deepcopy(network).cpu().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            verbose=False,
            dynamic_shapes={name: {0: torch.export.Dim.AUTO} for name in inputs},
        )
    if program is None:
        raise NetworkError("torch exported nothing", where=str(path))
    program.optimize()
    model = program.model_proto
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.metadata_props[:]
    for node in model.graph.node:  # the exporter notes its source lines: machine paths have no place in a recipe
        del node.metadata_props[:]
        node.doc_string = ""
    model.metadata_props.add(key=METADATA_KEY, value=write_card(card))
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(model.SerializeToString())
    beside.replace(path)
    return _parity(network, inputs, outputs, path)


def _parity(network: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, str], path: Path) -> float:
    engine = load_engine(path)
    worst = 0.0
    for count in (1, len(next(iter(inputs.values())))):
        some = {name: tensor[:count] for name, tensor in inputs.items()}
        with torch.no_grad():
            expected = network(*some.values())[0].numpy()
        found = engine.run({name: tensor.numpy() for name, tensor in some.items()})[outputs[0]]
        worst = max(worst, float(np.abs(np.asarray(found) - expected).max()))
    engine.close()
    if not worst <= PARITY_PX:
        raise NetworkError(
            f"positions differ from torch's by {worst:.3g} px", where=str(path), allowed=f"{PARITY_PX} px"
        )
    return worst
