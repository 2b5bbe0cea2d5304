"""A small segment-anything model, for machines where none of the published ones can be had."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig
from transformers.models.sam.modeling_sam import SamAttention

SIDE_PX = 256  # of the images that it is for
_TOKEN = 0.5  # deviation of the weights that say what a token is; its place, sines and cosines, has 0.7
_FEATURE = 0.5  # of the image's features at the start
_PLACES = "vision_encoder.pos_embed"
_GAIN = 1.4  # of what attention compares


def tiny_sam(side: int = SIDE_PX) -> SamModel:
    """A SAM of 2.2 M parameters for ``side`` x ``side`` px, with patches of 8 px, so that masks are half as fine as the image.

    Relative positions are left out: absolute ones are there, and attention without a bias takes half of the time. The weights
    are random, but not as transformers draws them, which has only loading in mind: its encoder starts at 1e-10 and the
    frequencies of its positional encoding at 64 times SAM's.
    """
    width, patch = 128, 8
    vision = SamVisionConfig(
        hidden_size=width,
        output_channels=width,
        num_hidden_layers=6,
        num_attention_heads=2,
        mlp_ratio=4.0,
        image_size=side,
        patch_size=patch,
        window_size=8,
        global_attn_indexes=[2, 5],
        num_pos_feats=width // 2,
        initializer_range=0.02,
        use_rel_pos=False,
    )
    prompts = SamPromptEncoderConfig(hidden_size=width, image_size=side, patch_size=patch)
    masks = SamMaskDecoderConfig(hidden_size=width, mlp_dim=384, num_attention_heads=2, iou_head_hidden_dim=width)
    model = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks))
    initialise(model)
    return model


@torch.no_grad()
def cut(model: SamModel, side: int) -> SamModel:
    """The same network for smaller images, which it takes for the upper left corner of its own.

    All that depends on the size are the places of patches. They are cut off, not spread anew: what attention knows of
    neighbours stays true. ``side`` is a multiple of the encoder's windows, of 64 px.
    """
    smaller = tiny_sam(side)
    count = _places(smaller).shape[1]
    smaller.load_state_dict(model.state_dict() | {_PLACES: _places(model)[:, :count, :count]})
    return smaller


@torch.no_grad()
def learn_from(model: SamModel, smaller: SamModel) -> None:
    """Take the weights back from what `cut` gave, trained meanwhile; how its places changed goes to all like them."""
    places, count = _places(model), _places(smaller).shape[1]
    change = _places(smaller).to(places.device) - places[:, :count, :count]
    times = -(-places.shape[1] // count)
    change = change.repeat(1, times, times, 1)[:, : places.shape[1], : places.shape[2]]
    model.load_state_dict(smaller.state_dict() | {_PLACES: places + change})


def _places(model: SamModel) -> Tensor:
    """Of patches, (1, rows, columns, C)."""
    return cast(Tensor, model.state_dict()[_PLACES])


@torch.no_grad()
def initialise(model: SamModel) -> None:
    """Random weights with which a SAM begins to learn where it is pointed at within some hundred steps.

    In the decoder, queries and keys are compared by the same orthogonal matrix: a token then looks where its place is, and at
    itself among the tokens. As they are usually drawn, it looks everywhere alike, all tokens come out of the first layer as
    their mean, and nothing that a prompt says reaches any place of the image. With 64 x 64 px and 240 steps of points alone,
    the IoU was 0.29 so, and 0.00 with torch's own weights.
    """
    frequencies = model.shared_image_embedding.positional_embedding
    nn.init.normal_(frequencies, std=1.0)
    frequencies.requires_grad = False  # a constant, as in SAM
    places = model.vision_encoder.pos_embed
    if places is not None:
        nn.init.normal_(places, std=0.02)
    nn.init.constant_(model.vision_encoder.neck.layer_norm2.weight, _FEATURE)
    for part in (*model.mask_decoder.modules(), *model.prompt_encoder.modules()):
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            part.reset_parameters()
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=_TOKEN)
    for part in model.mask_decoder.transformer.modules():
        if isinstance(part, SamAttention):
            nn.init.orthogonal_(part.q_proj.weight, gain=_GAIN)
            part.k_proj.weight.copy_(part.q_proj.weight)
            for bias in (part.q_proj.bias, part.k_proj.bias):
                nn.init.zeros_(bias)
