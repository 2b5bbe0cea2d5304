"""A segment-anything model that is small enough for tests, with weights that nothing was trained with."""

from pathlib import Path

import cv2
import numpy as np
import torch
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from training.networks.sam import save_sam

SIDE, PATCH, CHANNELS = 64, 8, 32


def small_sam(seed: int = 0) -> SamModel:
    """Of 64 x 64 px; windows of 5 do not divide its 8 x 8 grid, and positions are relative as in published ones."""
    torch.manual_seed(seed)
    vision = SamVisionConfig(
        hidden_size=24,
        output_channels=CHANNELS,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2.0,
        image_size=SIDE,
        patch_size=PATCH,
        window_size=5,
        global_attn_indexes=[1],
        num_pos_feats=CHANNELS // 2,
        initializer_range=0.1,
    )
    prompts = SamPromptEncoderConfig(hidden_size=CHANNELS, image_size=SIDE, patch_size=PATCH)
    masks = SamMaskDecoderConfig(
        hidden_size=CHANNELS, mlp_dim=32, num_attention_heads=4, num_hidden_layers=1, iou_head_hidden_dim=32
    )
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
    config.initializer_range = 0.1
    return SamModel(config)


def write_small_sam(folder: Path, name: str = "small", seed: int = 0) -> Path:
    """Write it as `save_pretrained` does; the folder."""
    save_sam(small_sam(seed), folder, name)
    return folder


def write_masked(folder: Path, bad: int, good: int, wh: tuple[int, int] = (90, 60)) -> Path:
    """Dark strokes on noise in ``folder``/scratch, noise alone in ``folder``/good."""
    rng = np.random.default_rng(5)
    for kind, count in (("scratch", bad), ("good", good)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            image = rng.normal(150, 6, (wh[1], wh[0])).clip(0, 255).astype(np.uint8)
            mask = np.zeros_like(image)
            if kind == "scratch":
                x, y = rng.integers(15, 45, 2).tolist()
                cv2.line(mask, (x, y), (x + 25, y + 8), 255, 5)
                image[mask > 0] = 40
                cv2.imwrite(str(folder / kind / f"{number}.mask.png"), mask)
            cv2.imwrite(str(folder / kind / f"{number}.png"), image)
    return folder
