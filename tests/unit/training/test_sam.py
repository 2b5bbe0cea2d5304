import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import DataError
from tests.small_sams import CHANNELS, SIDE, small_sam, write_small_sam
from training.networks.prompted_sam import FrozenMaskDecoder, SamEncoder
from training.networks.sam import DEVIATION, MEAN, load_sam, prompted_masks, save_sam


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_sam(tmp_path / "small")


def image() -> torch.Tensor:
    return torch.randint(0, 256, (2, SIDE, SIDE, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_what_is_written_is_what_is_loaded(folder: Path) -> None:
    sam, written = load_sam(folder), small_sam()
    assert sam.model.state_dict().keys() == written.state_dict().keys()
    for name, weight in written.state_dict().items():
        assert torch.equal(sam.model.state_dict()[name], weight), name
    assert (sam.image_wh, sam.grid_wh, sam.mask_wh) == ((64, 64), (8, 8), (32, 32))
    assert (sam.mean, sam.deviation) == (MEAN, DEVIATION)


def test_a_loaded_one_is_frozen(folder: Path) -> None:
    model = load_sam(folder).model
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not any(part.training for part in model.modules())


def test_its_name_changes_with_its_weights_and_with_them_alone(tmp_path: Path) -> None:
    first, again, other = (load_sam(write_small_sam(tmp_path / str(n), seed=n % 2)).weights for n in (0, 2, 1))
    assert first.startswith("small ")
    assert first == again != other


def test_a_folder_that_says_nothing_of_its_name_is_called_as_it_is(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["datumd_name"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").unlink()
    sam = load_sam(folder.rename(folder.with_name("sam-vit-base")))
    assert sam.weights.startswith("sam-vit-base ")
    assert sam.mean == MEAN


def test_folders_of_years_ago_say_more_and_other_things(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    older = {"torch_dtype": None, "_name_or_path": "", "num_beams": 1, "transformers_version": "4.29.0.dev0"}
    config |= {"torch_dtype": "float32", "_commit_hash": None, "transformers_version": None}
    for part in ("vision_config", "prompt_encoder_config", "mask_decoder_config"):
        config[part] |= older | {"model_type": ""}
    config["vision_config"] |= {"dropout": 0.0, "initializer_factor": 1.0, "projection_dim": 512}
    (folder / "config.json").write_text(json.dumps(config))
    assert load_sam(folder).image_wh == (64, 64)


def _changed(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"] |= values
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config\.json: cannot be read: No such file"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: cannot be read: no JSON"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "sam2"}'), "is a model of type 'sam2'"),
        (lambda folder: (folder / "model.safetensors").unlink(), "there are no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "cannot be loaded"),
        (lambda folder: _changed(folder, hidden_size="wide"), "cannot be loaded: .*hidden_size"),
        (lambda folder: _changed(folder, hidden_size=48), "cannot be loaded|of another shape"),
        (lambda folder: _changed(folder, patch_size=0), "cannot be loaded"),
        (lambda folder: _changed(folder, image_size=66), "of 66 px in patches of 8"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{}"), "no usable image_mean"),
    ],
)
def test_a_folder_that_is_none_is_refused(folder: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    change(folder)
    with pytest.raises(DataError, match=message):
        load_sam(folder)


def test_no_folder_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="next: datumd train --method sam_tiny --teacher FILE --out DIR"):
        load_sam(tmp_path / "none")


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["mask_decoder.iou_token.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"1 of its weights are missing.*mask_decoder\.iou_token\.weight"):
        load_sam(folder)


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        save_sam(small_sam(), tmp_path / "taken")


def test_points_and_boxes_are_answered_with_a_mask_each(folder: Path) -> None:
    sam = load_sam(folder)
    inside = torch.tensor([10.0, 20.0, 30.0, 40.0])
    assert prompted_masks(sam, image(), points=inside[:2].expand(2, 3, 1, 2)).shape == (2, 3, 32, 32)
    assert prompted_masks(sam, image(), boxes=inside.expand(2, 4, 4)).shape == (2, 4, 32, 32)


def test_of_three_answers_to_a_point_the_one_is_given_that_is_believed_in(folder: Path) -> None:
    sam, points = load_sam(folder), torch.tensor([12.0, 30.0]).expand(2, 1, 1, 2)
    colours = (image().float().permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN).reshape(1, 3, 1, 1)) / torch.tensor(
        DEVIATION
    ).reshape(1, 3, 1, 1)
    with torch.no_grad():
        answer = sam.model(pixel_values=colours, input_points=points, multimask_output=True)
    best = answer.iou_scores[:, 0].argmax(1)
    expected = torch.stack([answer.pred_masks[row, 0, best[row]] for row in range(2)])
    assert torch.allclose(prompted_masks(sam, image(), points=points)[:, 0], expected, atol=1e-5)


def test_the_encoder_gives_what_transformers_gives(folder: Path) -> None:
    sam = load_sam(folder)
    encoder = SamEncoder(sam, states=2)
    colours = (image().float().permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN).reshape(1, 3, 1, 1)) / torch.tensor(
        DEVIATION
    ).reshape(1, 3, 1, 1)
    with torch.no_grad():
        expected = sam.model.vision_encoder(colours, output_hidden_states=True)
        intermediate, embedding = encoder(image())
    assert torch.allclose(embedding, expected.last_hidden_state, atol=1e-5)
    assert intermediate.shape == (2, *encoder.intermediate) == (2, 48, 8, 8)
    last = expected.hidden_states[-1].permute(0, 3, 1, 2)
    assert torch.allclose(intermediate[:, 24:], last, atol=1e-5)


@pytest.mark.parametrize(("states", "after"), [(1, (2,)), (2, (1, 2)), (9, (1, 2))])
def test_states_are_evenly_spaced_and_end_with_the_last(folder: Path, states: int, after: tuple[int, ...]) -> None:
    assert SamEncoder(load_sam(folder), states).after == after


def test_the_mask_decoder_without_prompts_is_sams_own(folder: Path) -> None:
    sam = load_sam(folder)
    features = torch.randn(2, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = sam.model(image_embeddings=features, multimask_output=False).pred_masks[:, 0, 0]
        found = FrozenMaskDecoder(sam)(features)
    assert torch.allclose(found, expected, atol=1e-5)
