"""The two networks that find defects: what their ONNX files say of themselves.

The encoder sees the image of a part; the decoder turns what the encoder gave into a heatmap of where to look and a mask.
"""

from typing import Annotated

import msgspec
import numpy as np

from engines.spec import TensorSpec

_Side = Annotated[int, msgspec.Meta(ge=8, le=16384)]
_Size = Annotated[int, msgspec.Meta(ge=1, le=16384)]
MOST_CELLS = 4096  # of a side, as a result's mask can have
_Cells = Annotated[int, msgspec.Meta(ge=1, le=MOST_CELLS)]
Tiles = Annotated[int, msgspec.Meta(ge=1, le=8)]
_Maps = tuple[_Size, _Size, _Size]  # channels, height, width


class SegmentCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="role", kw_only=True):
    """What both must agree on.

    Attributes:
        image_wh: width and height in px of the image that the encoder sees.
        intermediate: channels, height and width of the chosen hidden states of the encoder's transformer.
        embedding: likewise of what it gives in the end.
        weights: which segment-anything model is frozen inside.
    """

    image_wh: tuple[_Side, _Side]
    intermediate: _Maps
    embedding: _Maps
    weights: str

    def features(self) -> tuple[TensorSpec, TensorSpec]:
        """What goes from one to the other: `intermediate` and `embedding`, float32."""
        return _tensor("intermediate", np.float32, *self.intermediate), _tensor(
            "embedding", np.float32, *self.embedding
        )


class SegmentEncoderCard(
    SegmentCard, frozen=True, forbid_unknown_fields=True, tag_field="role", tag="segment_encoder", kw_only=True
):
    """Input `image` uint8 (N, H, W, 1), grey; grey to colours and normalisation are inside.

    Attributes:
        tiles: columns and rows of the images that a part's region is looked at in, one after the other.
    """

    tiles: tuple[Tiles, Tiles] = (1, 1)

    def tensors(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that such a network has."""
        width, height = self.image_wh
        return (_tensor("image", np.uint8, height, width, 1),), self.features()


class SegmentDecoderCard(
    SegmentCard, frozen=True, forbid_unknown_fields=True, tag_field="role", tag="segment_decoder", kw_only=True
):
    """Outputs `mask` float32 (N, Hm, Wm), logits, and `heatmap` float32 (N, Hh, Wh) from 0 to 1, both of the image's area.

    Attributes:
        layout: where keypoints lie in the part's own frame. Then a third input, `pose` float32 (N, 2, 3), says where on the part
            each image lies, see `pipeline.part_pose.pose_of`; without a layout the network does not ask.
    """

    mask_wh: tuple[_Cells, _Cells]
    heatmap_wh: tuple[_Cells, _Cells]
    layout: dict[str, tuple[float, float]] = {}

    def tensors(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that such a network has."""
        mask, heatmap = (
            _tensor(name, np.float32, height, width)
            for name, (width, height) in (("mask", self.mask_wh), ("heatmap", self.heatmap_wh))
        )
        return (*self.features(), *([_tensor("pose", np.float32, 2, 3)] if self.layout else [])), (mask, heatmap)

    def disagreement(self, encoder: SegmentEncoderCard) -> str:
        """What this decoder was not made for in that encoder: `weights 'a', not 'b'`; empty where they belong together."""
        for name in ("image_wh", "intermediate", "embedding", "weights"):
            mine, theirs = getattr(self, name), getattr(encoder, name)
            if mine != theirs:
                return f"{name} {mine!r}, not {theirs!r}"
        if any(side * count > MOST_CELLS for side, count in zip(self.mask_wh, encoder.tiles, strict=True)):
            return f"{encoder.tiles} tiles with masks of {self.mask_wh} cells, more than {MOST_CELLS} a side"
        return ""


def _tensor(name: str, dtype: type[np.generic], *sizes: int) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), (None, *sizes))
