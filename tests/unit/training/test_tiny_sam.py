from pathlib import Path

import torch

from training.networks.sam import positions
from training.networks.tiny_sam import enlarged, tiny_sam
from training.sam_train import train_sam
from training.segment_method import SamStage, SamTinyMethod


def test_it_is_below_five_million_parameters_and_sees_256_px() -> None:
    model = tiny_sam()
    assert sum(weight.numel() for weight in model.parameters()) <= 5_000_000
    assert model.config.vision_config.image_size == 256


@torch.no_grad()
def test_before_any_training_a_point_changes_most_what_lies_under_it() -> None:
    torch.manual_seed(0)
    model = tiny_sam().eval()
    grid = 32
    cells = torch.tensor([[8, 8], [24, 20]])  # row, column
    points = (cells.flip(1) * 8.0 + 3.5)[None, :, None]
    seen: list[torch.Tensor] = []
    model.mask_decoder.transformer.register_forward_hook(lambda _module, _inputs, outputs: seen.append(outputs[1]))
    sparse, dense = model.prompt_encoder(points, torch.ones(1, 2, 1, dtype=torch.int64), None, None)
    model.mask_decoder(
        image_embeddings=model.vision_encoder(torch.randn(1, 3, 256, 256))[0],
        image_positional_embeddings=positions(model),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    one, other = seen[0].reshape(2, grid, grid, -1)
    change = one - other
    local = (change - change.flatten(0, 1).median(0).values).norm(dim=2)
    for row, column in cells.tolist():
        assert float(local[row, column]) > 1.5 * float(local.median())


def test_the_frequencies_of_places_are_no_weights() -> None:
    model = tiny_sam()
    assert not model.shared_image_embedding.positional_embedding.requires_grad
    assert 0.7 < float(model.shared_image_embedding.positional_embedding.std()) < 1.3


@torch.no_grad()
def test_enlarged_it_answers_at_the_same_places() -> None:
    small = tiny_sam(64).eval()
    places = small.vision_encoder.pos_embed
    places.copy_(torch.arange(8.0)[None, None, :, None].expand_as(places))  # each says its column
    weights, grown = small.state_dict(), enlarged(small, 128).state_dict()
    changed = [name for name in weights if weights[name].shape != grown[name].shape]
    assert changed == ["vision_encoder.pos_embed"]
    assert all(torch.equal(weights[name], grown[name]) for name in weights if name not in changed)
    columns = (torch.arange(16.0) + 0.5) / 2 - 0.5
    assert torch.allclose(grown[changed[0]][0, 5, :, 3], columns.clamp(0.0, 7.0), atol=1e-5)


def test_a_pretraining_that_was_ended_between_its_stages_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def said_by(method: SamTinyMethod, name: str, *, resume: bool) -> list[str]:
        lines: list[str] = []
        train_sam(method, tmp_path / name, tmp_path / f"{name}.training", resume=resume, report=lines.append)
        return lines

    stages = (SamStage(64, 1, 1), SamStage(128, 1, 1))
    method = SamTinyMethod(stage=stages, prompts=2, validation_images=1, rendered=0.0)
    said = said_by(method, "whole", resume=False)
    assert [line.split(":")[0] for line in said if "min, loss" in line] == ["sam_tiny at 64 px", "sam_tiny at 128 px"]
    (tmp_path / "again.training").mkdir()
    first = "sam-64.checkpoint"
    (tmp_path / "again.training" / first).write_bytes((tmp_path / "whole.training" / first).read_bytes())
    said_by(method, "again", resume=True)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "again")]
    assert weights[0] == weights[1]
