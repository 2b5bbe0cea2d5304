"""S4: a frozen SAM that is told where to look by a heatmap, which is predicted from its own features.

After "PA-SAM" (Sensors 25(8):2417): intermediate and final features of the frozen encoder ▸ fusion ▸ heatmap head ▸ heatmap ▸
heatmap encoding, fused with the final features ▸ frozen mask decoder ▸ mask. What SAM brings along never changes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.part_pose import Found
from training.networks.backbone import Residual, conv_norm_relu
from training.networks.sam import LoadedSam, normalised, positions

_ENCODED = 64  # channels of the encoded heatmap


class SamEncoder(nn.Module):
    """The frozen image encoder: image ▸ chosen hidden states of its transformer, and what it gives in the end."""

    def __init__(self, sam: LoadedSam, states: int) -> None:
        """Look at ``states`` evenly spaced hidden states, or at all where there are fewer."""
        super().__init__()
        self.vision = sam.model.vision_encoder
        count, wanted = len(self.vision.layers), min(states, len(self.vision.layers))
        self.after = tuple(-(-count * place // wanted) for place in range(1, wanted + 1))
        colours = {"mean": sam.mean, "deviation": sam.deviation}
        for name, values in colours.items():
            self.register_buffer(name, torch.tensor(values).reshape(1, -1, 1, 1), persistent=False)
        columns, rows = sam.grid_wh
        self.image_wh = sam.image_wh
        self.intermediate = (wanted * sam.vision.hidden_size, rows, columns)
        self.embedding = (sam.vision.output_channels, rows, columns)
        frozen(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W, 1) to intermediate float32 (N, Ci, h, w) and embedding float32 (N, Ce, h, w)."""
        hidden = self.vision.patch_embed(normalised(image, cast(Tensor, self.mean), cast(Tensor, self.deviation)))
        if self.vision.pos_embed is not None:
            hidden = hidden + self.vision.pos_embed
        kept = []
        for number, layer in enumerate(self.vision.layers, start=1):
            hidden = layer(hidden)  # (N, h, w, C)
            if number in self.after:
                kept.append(hidden)
        return torch.cat(kept, dim=3).permute(0, 3, 1, 2), self.vision.neck(hidden)

    def train(self, mode: bool = True) -> SamEncoder:  # noqa: ARG002 - nn.Module's own signature
        """Stays in evaluation mode, whatever holds it."""
        return super().train(mode=False)


class FrozenMaskDecoder(nn.Module):
    """SAM's mask decoder on features that are prompted already: no points, no boxes, one mask."""

    def __init__(self, sam: LoadedSam) -> None:
        super().__init__()
        self.decoder = sam.model.mask_decoder
        self.register_buffer("position", positions(sam.model).detach(), persistent=False)
        no_mask = sam.model.prompt_encoder.no_mask_embed.weight.detach().reshape(1, -1, 1, 1)
        self.register_buffer("no_mask", no_mask.clone(), persistent=False)
        frozen(self)

    def forward(self, prompted: Tensor) -> Tensor:
        """(N, Ce, h, w) to logits (N, 4 h, 4 w)."""
        masks, _ = self.decoder(
            image_embeddings=prompted,
            image_positional_embeddings=self.position,
            sparse_prompt_embeddings=None,
            dense_prompt_embeddings=self.no_mask,
            multimask_output=False,
        )
        return cast(Tensor, masks[:, 0, 0])

    def train(self, mode: bool = True) -> FrozenMaskDecoder:  # noqa: ARG002 - nn.Module's own signature
        """Stays in evaluation mode, whatever holds it."""
        return super().train(mode=False)


class PlaceMap(nn.Module):
    """What is to be expected where on the part: a map of it that is learnt, read at the cells of an image's features."""

    def __init__(self, width: int, side: int, grid_wh: tuple[int, int]) -> None:
        """Of ``width`` channels and ``side`` by ``side`` cells, for features of a grid of columns and rows."""
        super().__init__()
        self.map = nn.Parameter(0.02 * torch.randn(1, width, side, side))
        for name, count in zip(("x", "y"), grid_wh, strict=True):
            self.register_buffer(name, (2.0 * torch.arange(count) + 1.0) / count - 1.0, persistent=False)

    def forward(self, pose: Tensor) -> Tensor:
        """From poses (N, 2, 3), see `pipeline.part_pose.pose_of`, to (N, width, h, w); beyond the part it is 0."""
        x, y = cast(Tensor, self.x)[None, None, :], cast(Tensor, self.y)[None, :, None]
        # no product of matrices: autocast would round the places
        places = [
            pose[:, row, 0, None, None] * x + pose[:, row, 1, None, None] * y + pose[:, row, 2, None, None]
            for row in (0, 1)
        ]
        grid = torch.stack(places, dim=3)  # (N, h, w, 2)
        _, rows, columns, _ = grid.shape
        # all images below each other: one map serves them, where a copy for each would be exported with a fixed number of them
        read = functional.grid_sample(self.map, grid.reshape(1, -1, columns, 2), align_corners=False)
        return read[0].reshape(self.map.shape[1], -1, rows, columns).transpose(0, 1)


class Fusion(nn.Module):
    """Intermediate and final features brought to one width, fused, and to four times as fine a grid."""

    def __init__(
        self, intermediate: int, final: int, width: int, *, use_intermediate: bool = True, use_final: bool = True
    ) -> None:
        """From channels ``intermediate`` and ``final`` to ``width`` / 4."""
        super().__init__()
        self.intermediate = _narrowed(intermediate, width) if use_intermediate else None
        self.final = _narrowed(final, width) if use_final else None
        self.mixed = nn.Sequential(nn.ReLU(), Residual(width), Residual(width))
        self.finer = nn.Sequential(_doubled(width, width // 2), _doubled(width // 2, width // 4))

    def forward(self, intermediate: Tensor, embedding: Tensor, expected: Tensor | None = None) -> Tensor:
        """(N, Ci, h, w), (N, Ce, h, w) and, of `PlaceMap`, (N, width, h, w) to (N, width / 4, 4 h, 4 w)."""
        parts = [] if expected is None else [expected]
        parts += [
            layer(features)
            for layer, features in ((self.intermediate, intermediate), (self.final, embedding))
            if layer is not None
        ]
        return cast(Tensor, self.finer(self.mixed(torch.stack(parts).sum(0) if len(parts) > 1 else parts[0])))


class HeatmapEncoding(nn.Module):
    """The heatmap, step by step on the grid of the final features, fused with them: prompted features.

    What it adds is 0 at the start, so that training begins with what SAM says without any prompt.
    """

    def __init__(self, channels: int) -> None:
        """For final features of ``channels``."""
        super().__init__()
        self.stages = nn.Sequential(
            conv_norm_relu(1, _ENCODED // 4),
            conv_norm_relu(_ENCODED // 4, _ENCODED // 2, stride=2),
            conv_norm_relu(_ENCODED // 2, _ENCODED),
        )
        self.fused = nn.Sequential(conv_norm_relu(channels + _ENCODED, channels), nn.Conv2d(channels, channels, 1))
        for weight in self.fused[1].parameters():
            nn.init.zeros_(weight)

    def forward(self, heatmap: Tensor, embedding: Tensor) -> Tensor:
        """(N, 1, 2 h, 2 w) and (N, Ce, h, w) to (N, Ce, h, w)."""
        return embedding + cast(Tensor, self.fused(torch.cat((embedding, self.stages(heatmap)), dim=1)))


class PromptedDecoder(nn.Module):
    """All that comes after the frozen encoder: what is trained, and the frozen mask decoder behind it.

    Attributes:
        prompting: False zeroes the heatmap before it is encoded, to see what the prompt is worth.
        layout: the keypoints in the part's own frame, which poses are made by; empty where none are asked for.
    """

    def __init__(
        self,
        sam: LoadedSam,
        encoder: SamEncoder,
        width: int,
        *,
        use_intermediate: bool = True,
        use_final: bool = True,
        places: int = 0,
        layout: Found | None = None,
    ) -> None:
        super().__init__()
        channels = encoder.embedding[0]
        self.fusion = Fusion(
            encoder.intermediate[0], channels, width, use_intermediate=use_intermediate, use_final=use_final
        )
        self.head = nn.Sequential(conv_norm_relu(width // 4, width // 3, stride=2), nn.Conv2d(width // 3, 1, 1))
        self.encoding = HeatmapEncoding(channels)
        self.masks = FrozenMaskDecoder(sam)
        self.prompting = True
        self.layout = dict(layout or {}) if places else {}
        self.places = PlaceMap(width, places, sam.grid_wh) if self.layout else None
        columns, rows = sam.grid_wh
        self.mask_wh, self.heatmap_wh = (4 * columns, 4 * rows), (2 * columns, 2 * rows)

    def forward(self, intermediate: Tensor, embedding: Tensor, pose: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mask logits float32 (N, 4 h, 4 w) and the heatmap float32 (N, 2 h, 2 w), 0 to 1; ``pose`` with a layout alone."""
        logits, heatmap = self.raw(intermediate, embedding, pose)
        return logits, heatmap.clamp(0.0, 1.0)

    def raw(
        self, intermediate: Tensor, embedding: Tensor, pose: Tensor | None = None, instead: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, but the heatmap as it comes, which its loss needs: a clipped one has no gradient.

        Args:
            intermediate: of the encoder.
            embedding: of the encoder.
            pose: (N, 2, 3), where on the part each image lies.
            instead: heatmaps (N, 2 h, 2 w) that prompt in place of what is predicted.
        """
        heatmap = self.raw_heatmap(intermediate, embedding, pose)
        prompt = heatmap.clamp(0.0, 1.0) if self.prompting else torch.zeros_like(heatmap)
        if instead is not None:
            prompt = instead
        return self.masks(self.encoding(prompt[:, None], embedding)).float(), heatmap

    def raw_heatmap(self, intermediate: Tensor, embedding: Tensor, pose: Tensor | None = None) -> Tensor:
        """The heatmap of `raw` alone (N, 2 h, 2 w): less than half of the work."""
        expected = None if self.places is None else self.places(pose)
        return cast(Tensor, self.head(self.fusion(intermediate, embedding, expected)))[:, 0].float()

    def trained(self) -> list[nn.Parameter]:
        """The weights that learn."""
        return [weight for weight in self.parameters() if weight.requires_grad]


class PromptedSam(nn.Module):
    """S4 whole, from the image to the mask."""

    def __init__(self, encoder: SamEncoder, decoder: PromptedDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.image_wh = encoder.image_wh

    def forward(self, image: Tensor, pose: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W, 1), with a layout poses (N, 2, 3), to mask logits (N, Hm, Wm) and heatmap (N, Hh, Wh), 0 to 1."""
        return cast(tuple[Tensor, Tensor], self.decoder(*self.encoder(image), pose))


def frozen(network: nn.Module) -> None:
    """Evaluation mode, and no weight asks for a gradient."""
    network.eval().requires_grad_(requires_grad=False)


def _narrowed(inputs: int, outputs: int) -> nn.Sequential:
    """Each channel to its own level and spread first: those of a transformer's hidden states differ by orders of magnitude."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 1))


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
