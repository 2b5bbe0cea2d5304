from pathlib import Path

import torch

from training.networks.sam import load_sam, positions
from training.networks.shufflenet import shufflenet_backbone
from training.networks.tiny_sam import cut, learn_from, tiny_sam
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
def test_cut_it_knows_the_places_of_its_corner_and_gives_back_what_it_learnt_of_them() -> None:
    whole = tiny_sam(192).eval()
    before = {name: weight.clone() for name, weight in whole.state_dict().items()}
    corner = cut(whole, 128)
    name = "vision_encoder.pos_embed"
    assert [key for key, weight in corner.state_dict().items() if weight.shape != before[key].shape] == [name]
    assert torch.equal(corner.vision_encoder.pos_embed, before[name][:, :16, :16])
    corner.vision_encoder.pos_embed[0, 3, 5] += 7.0
    corner.mask_decoder.iou_token.weight += 1.0
    learn_from(whole, corner)
    change = whole.vision_encoder.pos_embed - before[name]
    assert {(int(row), int(column)) for _, row, column, _ in change.nonzero()} == {(3, 5), (3, 21), (19, 5), (19, 21)}
    assert torch.allclose(change[change != 0], torch.tensor(7.0), atol=1e-4)
    changed = [key for key, weight in whole.state_dict().items() if not torch.equal(weight, before[key])]
    assert sorted(changed) == ["mask_decoder.iou_token.weight", name]


def test_a_pretraining_that_was_ended_between_its_stages_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    teacher = tmp_path / "shufflenetv2.pth"
    torch.save(shufflenet_backbone().state_dict(), teacher)

    def said_by(method: SamTinyMethod, name: str, *, resume: bool) -> list[str]:
        lines: list[str] = []
        work = tmp_path / f"{name}.training"
        train_sam(method, tmp_path / name, work, resume=resume, report=lines.append, teacher=teacher)
        return lines

    stages = (SamStage(64, 1, 1, "teacher"), SamStage(64, 1, 1), SamStage(128, 1, 1))
    method = SamTinyMethod(stage=stages, prompts=2, validation_images=1, rendered=0.0, muon=0.01)
    said = said_by(method, "whole", resume=False)
    done = [line.split(":")[0] for line in said if "min, loss" in line]
    assert done == ["sam_tiny at 64 px from its teacher", "sam_tiny at 64 px", "sam_tiny at 128 px"]
    (tmp_path / "again.training").mkdir()
    for first in ("teacher-64.checkpoint", "sam-64.checkpoint"):
        (tmp_path / "again.training" / first).write_bytes((tmp_path / "whole.training" / first).read_bytes())
    said_by(method, "again", resume=True)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "again")]
    assert weights[0] == weights[1]
    taught = torch.load(tmp_path / "whole.training" / "teacher-64.checkpoint", weights_only=True)["averaged"]
    encoder = load_sam(tmp_path / "whole").model.vision_encoder.state_dict()
    assert all(torch.equal(encoder[name], taught[f"vision.{name}"]) for name in encoder if name != "pos_embed")


def test_without_a_teacher_its_stages_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    method = SamTinyMethod(
        stage=(SamStage(64, 1, 1, "teacher"), SamStage(64, 1, 1)), prompts=2, validation_images=1, rendered=0.0
    )
    lines: list[str] = []
    train_sam(method, tmp_path / "sam", tmp_path / "work", resume=False, report=lines.append)
    assert lines[0] == "sam_tiny at 64 px: no --teacher, so this stage is left out"
    assert not any("features" in line for line in lines)
    assert (tmp_path / "sam" / "model.safetensors").is_file()
