"""One ONNX file per network: uint8 in, normalisation inside, dynamic batch, and the card that decodes it."""

from __future__ import annotations

import copy
import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from torch import Tensor, nn

from engines.load import load_engine
from pipeline.errors import NetworkError
from pipeline.network import METADATA_KEY, AnyCard, CoarseCard, PosedCard, RefineCard, write_card
from pipeline.shape import FILE_NAME as SHAPE_FILE
from pipeline.sigma import FILE_NAME as SIGMA_FILE
from pipeline.thresholds import FILE_NAME as VISIBILITY_FILE
from training.networks.keypoint_network import KeypointNetwork
from training.networks.refine import Refine

OPSET = 18
PARITY_PX = 0.01
_UNLIKELY = 0.7310585786  # the exporter keeps one copy of equal constants: no other may equal the scale
_OF_A_TRAINING = (VISIBILITY_FILE, SIGMA_FILE, "coarse.onnx", "posed.onnx", "refine.onnx", SHAPE_FILE)
_BATCH = 3  # any above 1: a batch of 1 would be taken for a constant


def export(network: KeypointNetwork | Refine, card: CoarseCard | PosedCard | RefineCard, path: Path) -> float:
    """Write a network and run the file through our own engine.

    Args:
        network: a `KeypointNetwork`, or `Refine` where the card is a RefineCard.
        card: goes into the file.
        path: of the ONNX file; replaced in one step.

    Returns:
        The largest difference from torch in px of the network's image.

    Raises:
        NetworkError: the engine's positions differ from torch's by more than `PARITY_PX`.
    """
    noise = torch.Generator().manual_seed(0)
    if isinstance(card, RefineCard):
        count = len(card.keypoints)
        patches = torch.randint(0, 256, (max(count, 2), card.patch, card.patch, 1), dtype=torch.uint8, generator=noise)
        keypoint = torch.arange(max(count, 2)) % count
        inputs = {"patches": patches, "keypoint": keypoint, "span": keypoint % len(card.spans_px)}
        return _export(network, inputs, "offset", card, path)
    width, height = card.small_wh if isinstance(card, CoarseCard) else card.image_wh
    image = torch.randint(0, 256, (_BATCH, height, width, 1), dtype=torch.uint8, generator=noise)
    return _export(network, {"image": image}, "xy", card, path)


def _export(
    network: KeypointNetwork | Refine,
    inputs: dict[str, Tensor],
    positions: str,
    card: CoarseCard | PosedCard | RefineCard,
    path: Path,
) -> float:
    trained, network = network, copy.deepcopy(network).cpu().eval()
    network.visibility_scale.fill_(_UNLIKELY)  # and not one: that multiplication would be left out
    model = to_onnx(network, inputs, (positions, "visibility", "sigma"), card, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(model, path, float(trained.visibility_scale))
    return _parity(network, inputs, positions, path)


def to_onnx(
    network: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], card: AnyCard, path: Path
) -> onnx.ModelProto:
    """A network on the CPU, in evaluation mode, as an ONNX model of dynamic batch that holds its card and nothing of the machine.

    Args:
        network: takes the tensors of ``inputs`` in their order, gives as many as ``outputs`` has names.
        inputs: examples by name, of a batch above 1: a batch of 1 would be taken for a constant.
        outputs: their names.
        card: goes into the file.
        path: where it will be written, for errors.

    Raises:
        NetworkError: torch cannot export it.
    """
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
    del model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:  # the exporter notes its source lines: machine paths have no place in a recipe
        del node.metadata_props[:]
        node.doc_string = ""
    model.metadata_props.add(key=METADATA_KEY, value=write_card(card))
    onnx.checker.check_model(model)
    return model


def rescale(path: Path, factor: float) -> None:
    """Give the network in an exported file another ``visibility_scale``; all else stays as it was checked."""
    _write(onnx.load(path), path, factor)


def ship(stage: Path, folder: Path) -> None:
    """Put all files of ``stage`` into a view's folder, each whole, in place of an earlier training's.

    What is calibrated for the networks comes last: a kill leaves networks without a calibration, never with another's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = {path: folder / f".{path.name}.part" for path in stage.iterdir()}
    for path, copy_of_it in beside.items():
        shutil.copy2(path, copy_of_it)
    for name in _OF_A_TRAINING:
        (folder / name).unlink(missing_ok=True)
    for path in sorted(beside, key=lambda path: path.suffix == ".toml"):
        beside[path].replace(folder / path.name)


def _write(model: onnx.ModelProto, path: Path, factor: float) -> None:
    (scale,) = (tensor for tensor in model.graph.initializer if tensor.name == "visibility_scale")
    scale.CopyFrom(onnx.numpy_helper.from_array(np.array(factor, np.float32), scale.name))
    beside = path.with_suffix(".part")
    beside.write_bytes(model.SerializeToString())
    beside.replace(path)


def _parity(network: KeypointNetwork | Refine, inputs: dict[str, Tensor], positions: str, path: Path) -> float:
    engine = load_engine(path)
    worst = 0.0
    for count in (1, len(next(iter(inputs.values())))):
        some = {name: tensor[:count] for name, tensor in inputs.items()}
        with torch.no_grad():
            expected = network(*some.values())[0].numpy()
        found = engine.run({name: tensor.numpy() for name, tensor in some.items()})[positions]
        worst = max(worst, float(np.abs(np.asarray(found) - expected).max()))
    engine.close()
    if not worst <= PARITY_PX:
        raise NetworkError(
            f"positions differ from torch's by {worst:.3g} px", where=str(path), allowed=f"{PARITY_PX} px"
        )
    return worst
