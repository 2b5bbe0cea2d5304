"""`datumd train` and `datumd evaluate` of defects as a person runs them, on a small SAM with random weights."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from pipeline.recipe import load_recipe
from tests.recipes import make_recipe

LIMIT_S = 240


@pytest.fixture
def small_sam(tmp_path: Path) -> Path:
    """A folder as `save_pretrained` leaves it: 64 x 64 px, two layers, random weights."""
    torch.manual_seed(0)
    vision = SamVisionConfig(
        hidden_size=16,
        output_channels=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=8,
        window_size=4,
        global_attn_indexes=[1],
        num_pos_feats=8,
        mlp_ratio=2.0,
    )
    prompts = SamPromptEncoderConfig(hidden_size=16, image_size=64, patch_size=8)
    masks = SamMaskDecoderConfig(hidden_size=16, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16)
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
    SamModel(config).save_pretrained(tmp_path / "sam")
    return tmp_path / "sam"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """24 parts, every third of them good."""
    for index in range(24):
        rng = np.random.default_rng(index)
        rough = cv2.resize(rng.uniform(40, 160, (6, 6)), (80, 64), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((64, 80), np.uint8)
        if index % 3:
            mask[20:32, 10 + index : 24 + index] = 255
        file = tmp_path / "masks" / ("dent" if index % 2 else "burr") / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.clip(rough + 80 * (mask > 0), 0, 255).astype(np.uint8))
        cv2.imwrite(str(file.with_suffix(".mask.png")), mask)
    return tmp_path / "masks"


METHOD = """
steps = 3
images = 2
[augment]
variants = 1
[split]
calibration = 0.25
validation = 0.25
"""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.time_limit_s(3 * LIMIT_S)
def test_a_short_training_leaves_a_view_that_can_be_evaluated(tmp_path: Path, small_sam: Path, masks: Path) -> None:
    recipe = make_recipe(tmp_path / "recipe", ("top",), sealed=False)
    method, figures = tmp_path / "method.toml", tmp_path / "figures.json"
    method.write_text(METHOD)
    data = ["--sam", small_sam, "--masks", masks, "--out", recipe, "--threads", "1"]
    done = run("train", method, "--method", "prompted_sam", *data)
    assert done.returncode == 0, done.stderr
    assert "24 parts of 24 sorts, 8 of them good: 12 to train, 6 to calibrate, 6 to validate" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next: write [view.top.segment] in")
    view = load_recipe(recipe, sealed=False).views["top"]
    assert view.segment is not None
    assert view.segment.thresholds.examples == (4, 2)
    assert (tmp_path / "recipe.training" / "top" / "worst.png").stat().st_size > 1000
    judged = run("evaluate", recipe, "--masks", masks, "--labelled", "--json", figures)
    assert judged.returncode == 0, judged.stderr
    assert "24 parts, 8 of them good" in judged.stdout
    assert figures.stat().st_size > 100


def test_what_no_recipe_can_use_is_told_in_one_line(tmp_path: Path, small_sam: Path, masks: Path) -> None:
    (tmp_path / "method.toml").write_text(METHOD + '[network]\nkind = "unet"\n')
    data = ["--sam", small_sam, "--masks", masks, "--out", tmp_path / "out"]
    refused = run("train", tmp_path / "method.toml", "--method", "prompted_sam", *data)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "network.kind is 'unet', which no recipe can use" in refused.stderr
