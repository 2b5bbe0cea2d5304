"""Mobile-size feature extractor: plain residual convolutions.

Depthwise blocks of equal accuracy in small networks train twice as slowly on a CPU (4.7 against 2.6 ms an image of
128x128, one core, bf16, channels last), so the blocks are dense and narrow.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import DataError
from training.networks.feature_extractor import Backbone
from training.networks.shufflenet import shufflenet_backbone

_BACKBONE = "backbone."
_COLOUR_STEM = "first_conv.0.weight"


def conv_norm_relu(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution ▸ BatchNorm ▸ ReLU that keeps the size (divided by ``stride``)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_norm_relu(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return functional.relu(x + self.second(self.first(x)))


class ResidualBackbone(Backbone):
    """A stem and stages; each halves the size, then applies its residual blocks."""

    def __init__(self, stages: list[tuple[int, int]], *, border: Literal["zeros", "reflect"] = "zeros") -> None:
        """``stages``: (channels, residual blocks) from the largest map to the smallest; ``border``: what lies outside of a map."""
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for channels, blocks in stages:
            self._early_layers, self.early_channels = len(layers), inputs
            layers.append(conv_norm_relu(inputs, channels, stride=2))
            layers.extend(Residual(channels) for _ in range(blocks))
            inputs = channels
        self.layers = nn.Sequential(*layers)
        for layer in self.layers.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode = border
        self.channels, self.stride, self.early_stride = inputs, 2 ** len(stages), 2 ** (len(stages) - 1)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `Backbone.features`."""
        layers = list(self.layers)
        for layer in layers[: self._early_layers]:
            x = layer(x)
        early = x
        for layer in layers[self._early_layers :]:
            x = layer(x)
        return early, x


def mobile_backbone() -> ResidualBackbone:
    """The CPU default: stride 16, 0.27 M parameters, 58 M multiply-adds at 128x128."""
    return ResidualBackbone([(16, 0), (32, 1), (48, 2), (80, 1)])


def reflected_backbone() -> ResidualBackbone:
    """For comparison: `mobile_backbone` that no border of zeros tells where a feature lies (arXiv 2001.08248)."""
    return ResidualBackbone([(16, 0), (32, 1), (48, 2), (80, 1)], border="reflect")


def tiny_backbone() -> ResidualBackbone:
    """For tests and for very small data sets: stride 16, 12 k parameters."""
    return ResidualBackbone([(8, 0), (12, 0), (16, 1), (32, 0)])


def large_backbone() -> ResidualBackbone:
    """For GPUs: stride 16, 2.4 M parameters."""
    return ResidualBackbone([(32, 1), (64, 2), (128, 2), (192, 2)])


BACKBONES: dict[str, Callable[[], Backbone]] = {
    "shufflenet": shufflenet_backbone,
    "mobile": mobile_backbone,
    "tiny": tiny_backbone,
    "large": large_backbone,
    "reflected": reflected_backbone,
}


def standardised(image: Tensor, *, floor: float = 4.0) -> Tensor:
    """uint8 (N, H, W, 1) to float32 (N, 1, H, W) with mean 0 and deviation 1 in each image.

    In the graph, so that one file serves every engine; it takes out the lamp's level and contrast. ``floor`` grey
    levels are added to the deviation, so that an even image does not become pure noise.
    """
    x = image.float().permute(0, 3, 1, 2)
    centred = x - x.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + floor)


def initialise(network: nn.Module, path: Path) -> str:
    """Copy what fits of ``path`` into the backbone of ``network``.

    Args:
        network: holds one or more modules called ``backbone``; all of them are given the weights.
        path: a ``.pth`` file of backbone tensors, or a checkpoint of ours, whose averaged backbone is taken.

    Returns:
        How many tensors were taken, as "330 of 330 tensors from shufflenetv2.pth".

    Raises:
        DataError: the file is neither, or no backbone of ``network`` has its tensors.
    """
    weights = _read(path)
    state = network.state_dict()
    taken: set[str] = set()
    for name, tensor in state.items():
        key = name.rpartition(_BACKBONE)[2] if _BACKBONE in name else None
        if key is None or key not in weights:
            continue
        source = weights[key]
        if key == _COLOUR_STEM and source.shape[1:2] != tensor.shape[1:2] == (1,):
            source = source.sum(dim=1, keepdim=True)  # a grey image in every colour channel
        if source.shape == tensor.shape:
            tensor.copy_(source)
            taken.add(key)
    if 2 * len(taken) <= len(weights):
        raise DataError(
            f"{len(taken)} of its {len(weights)} tensors fit this network's backbone",
            where=str(path),
            allowed='weights of the method\'s backbone, as shufflenetv2.pth for backbone = "shufflenet"',
        )
    return f"{len(taken)} of {len(weights)} tensors from {path.name}"


def _read(path: Path) -> dict[str, Tensor]:
    """The backbone's tensors under the backbone's own names."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about files that are none of its own: refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
        if "averaged" in content:
            content = {
                name.rpartition(_BACKBONE)[2]: tensor
                for name, tensor in content["averaged"].items()
                if _BACKBONE in name
            }
        if not content or not all(isinstance(tensor, Tensor) for tensor in content.values()):
            raise ValueError("it holds no backbone")
    except (OSError, RuntimeError, EOFError, ValueError, TypeError, AttributeError, pickle.UnpicklingError) as problem:
        if isinstance(problem, OSError):
            reason = problem.strerror or "it cannot be read"
        else:
            reason = str(problem) if isinstance(problem, ValueError) else "it is no file of tensors"
        raise DataError(
            f"cannot be taken as weights: {reason.lower()}",
            where=str(path),
            allowed="a .pth file of a backbone's tensors, or a checkpoint of datumd train",
        ) from None
    return dict(content)
