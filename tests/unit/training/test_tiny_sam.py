import torch

from training.networks.sam import positions
from training.networks.tiny_sam import tiny_sam


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
