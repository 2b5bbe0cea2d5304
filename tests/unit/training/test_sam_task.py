from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError
from tests.small_sams import SIDE, small_sam
from training.fit import Schedule, fit
from training.networks.tiny_sam import SIDE_PX
from training.sam_prompts import KINDS
from training.sam_task import SamTask, coarse_prompt, dice_loss, focal_loss, overlap
from training.segment_method import SamPrompts, SamStage, SamTinyMethod, load_sam_tiny_method

METHODS = Path(__file__).parents[3] / "training" / "methods"
GRID = 4 * SIDE // 8


def task(**shares: float) -> SamTask:
    prompt = SamPrompts(**{**dict.fromkeys(KINDS, 0.0), **shares}) if shares else SamPrompts()
    method = SamTinyMethod(stage=(SamStage(64, 8, 2),), prompts=3, prompt=prompt, validation_images=4)
    return SamTask(method, SIDE, GRID, images=2)


def tensors(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in batch.items()}


def test_the_shipped_method_can_be_read() -> None:
    assert load_sam_tiny_method(METHODS / "sam_tiny.toml").stage[-1].side == SIDE_PX


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[prompt]\npoint = 0\npoints = 0\nbox = 0\nmask = 0\n", r"prompt: no kind of prompt is asked for"),
        ("[[stage]]\nside = 64\nsteps = 1\nimages = 1\n", r"stage: sides are \[64, 64\]"),
        ("[[stage]]\nside = 100\nsteps = 1\nimages = 1\n", r"side"),
    ],
)
def test_a_method_that_cannot_be_used_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.toml").write_text("[[stage]]\nside = 64\nsteps = 1\nimages = 1\n" + text)
    with pytest.raises(ConfigError, match=told):
        load_sam_tiny_method(tmp_path / "m.toml")


def test_a_batch_is_a_function_of_its_step() -> None:
    one, again, next_one = task().batch(3), task().batch(3), task().batch(4)
    assert one.keys() == again.keys()
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["image"], next_one["image"])


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        ("point", {"points": (2, 3, 1, 2), "labels": (2, 3, 1)}),
        ("points", {"points": (2, 3, 3, 2), "labels": (2, 3, 3)}),
        ("box", {"boxes": (2, 3, 4)}),
        ("mask", {"coarse": (2, 3, GRID, GRID)}),
    ],
)
def test_every_kind_of_prompt_reaches_every_weight_it_should(kind: str, shapes: dict[str, tuple[int, ...]]) -> None:
    asked, network = task(**{kind: 1.0}), small_sam()
    batch = asked.batch(0)
    expected = {"image": (2, SIDE, SIDE, 1), "target": (2, 3, GRID, GRID)} | shapes
    assert {name: array.shape for name, array in batch.items()} == expected
    losses = asked.losses(network, tensors(dict(batch)))
    assert set(losses) == {"focal", "dice", "belief"}
    assert all(loss.isfinite() and loss >= 0 for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    without = {name for name, weight in network.named_parameters() if weight.grad is None}
    used = "mask_embed" if kind == "mask" else "point_embed"
    assert not any(name.startswith(("vision_encoder", "mask_decoder.transformer")) for name in without)
    assert any(used in name for name, weight in network.named_parameters() if weight.grad is not None)


def test_of_three_answers_only_the_best_one_learns() -> None:
    asked, network = task(point=1.0), small_sam()
    losses = asked.losses(network, tensors(dict(asked.batch(0))))
    losses["dice"].backward()
    gradients = [
        float(head.proj_out.weight.grad.abs().sum()) if head.proj_out.weight.grad is not None else 0.0
        for head in network.mask_decoder.output_hypernetworks_mlps
    ]
    assert gradients[0] == 0.0  # of the answer to prompts that are not ambiguous
    assert sum(gradients) > 0.0


def test_it_learns(tmp_path: Path) -> None:
    asked = task(box=1.0)
    asked = SamTask(msgspec.structs.replace(asked.method, rendered=0.0), SIDE, GRID, images=2)
    schedule = Schedule(45, 3e-3, 0.0, report_every=15, validate_every=45, warm_up=5)
    _, state = fit(asked, small_sam(), schedule, {}, tmp_path / "s.checkpoint", resume=False, report=lambda _: None)
    first, last = state.history[0], state.history[-1]
    assert last["focal"] + last["dice"] < 0.9 * (first["focal"] + first["dice"])
    assert 0.0 <= last["box_iou"] <= 1.0
    assert 0.0 <= last["point_iou"] <= 1.0


def test_a_coarse_prompt_shows_the_thing_and_no_more_than_about_that() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 24:50] = 255
    for seed in range(20):
        prompt = coarse_prompt(np.random.default_rng(seed), mask, 32)
        assert prompt.shape == (32, 32)
        assert prompt.min() >= -8.0
        assert prompt.max() > 4.0
        assert prompt[:4].max() < -4.0


def test_losses_are_0_at_the_truth_and_count_what_overlaps() -> None:
    target = torch.zeros(1, 8, 8)
    target[:, :4] = 1.0
    right, wrong = torch.where(target > 0, 20.0, -20.0), torch.where(target > 0, -20.0, 20.0)
    assert float(focal_loss(right, target)) == pytest.approx(0.0, abs=1e-6)
    assert float(dice_loss(right, target)) == pytest.approx(0.0, abs=1e-3)
    assert float(dice_loss(wrong, target)) == pytest.approx(1.0 - 1.0 / 65.0, abs=1e-3)
    half = torch.where(torch.arange(8) < 4, 20.0, -20.0).expand(1, 8, 8)
    assert float(overlap(half, target)) == pytest.approx(16 / 48)
    assert float(overlap(-torch.ones(1, 8, 8), torch.zeros(1, 8, 8))) == 0.0
