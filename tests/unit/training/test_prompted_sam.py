from pathlib import Path

import pytest
import torch

from pipeline.part_pose import UNPLACED
from tests.small_sams import CHANNELS, SIDE, write_small_sam
from training.networks.prompted_sam import Fusion, PlaceMap, PromptedDecoder, PromptedSam, SamEncoder
from training.networks.sam import LoadedSam, load_sam
from training.networks.unet import unet_of


@pytest.fixture
def sam(tmp_path: Path) -> LoadedSam:
    return load_sam(write_small_sam(tmp_path / "small"))


def prompted(sam: LoadedSam, **switches: bool) -> PromptedSam:
    torch.manual_seed(1)
    encoder = SamEncoder(sam, 2)
    return PromptedSam(encoder, PromptedDecoder(sam, encoder, 16, **switches))


def image(count: int = 2) -> torch.Tensor:
    noise = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (count, SIDE, SIDE, 1), dtype=torch.uint8, generator=noise)


def test_mask_and_heatmap_are_of_the_sizes_that_are_told(sam: LoadedSam) -> None:
    network = prompted(sam).eval()
    with torch.no_grad():
        logits, heatmap = network(image(3))
    assert logits.shape == (3, 32, 32) == (3, *network.decoder.mask_wh[::-1])
    assert heatmap.shape == (3, 16, 16) == (3, *network.decoder.heatmap_wh[::-1])
    assert logits.dtype == heatmap.dtype == torch.float32
    assert float(heatmap.min()) >= 0.0
    assert float(heatmap.max()) <= 1.0


def test_training_begins_with_what_sam_says_by_itself(sam: LoadedSam) -> None:
    network = prompted(sam).eval()
    with torch.no_grad():
        features = network.encoder(image())
        expected = sam.model(image_embeddings=features[1], multimask_output=False).pred_masks[:, 0, 0]
        assert torch.allclose(network(image())[0], expected, atol=1e-5)


def test_nothing_of_sam_is_trained_and_all_else_is(sam: LoadedSam) -> None:
    network = prompted(sam).train()
    assert not any(part.training for part in (*network.encoder.modules(), *network.decoder.masks.modules()))
    assert network.decoder.fusion.training
    frozen = {id(weight) for weight in sam.model.parameters()}
    assert not frozen & {id(weight) for weight in network.decoder.trained()}
    torch.nn.init.normal_(
        network.decoder.encoding.fused[1].weight, std=0.1
    )  # it is 0 at first, so that nothing comes through
    logits, heatmap = network.decoder.raw(*network.encoder(image()))
    (logits.square().mean() + (heatmap - 0.5).square().mean()).backward()
    for name, weight in network.named_parameters():
        if id(weight) in frozen or "encoder.vision" in name or "decoder.masks" in name:
            assert weight.grad is None, name
        else:
            assert weight.grad is not None, name
            assert float(weight.grad.abs().sum()) > 0.0, name


def test_the_mask_alone_teaches_the_heatmap_too(sam: LoadedSam) -> None:
    network = prompted(sam).train()
    torch.nn.init.normal_(network.decoder.encoding.fused[1].weight, std=0.1)
    torch.nn.init.constant_(network.decoder.head[1].bias, 0.5)  # not clipped
    network.decoder.raw(*network.encoder(image()))[0].mean().backward()
    assert float(network.decoder.head[1].weight.grad.abs().sum()) > 0.0


def test_without_prompting_the_heatmap_changes_no_mask(sam: LoadedSam) -> None:
    network = prompted(sam).eval()
    decoder = network.decoder
    torch.nn.init.normal_(decoder.encoding.fused[1].weight, std=0.5)
    found = {}
    with torch.no_grad():
        features = network.encoder(image())
        for prompting in (True, False):
            decoder.prompting = prompting
            for level in (0.2, 0.9):
                torch.nn.init.constant_(decoder.head[1].bias, level)
                torch.nn.init.zeros_(decoder.head[1].weight)
                found[prompting, level] = decoder(*features)[0]
    assert not torch.allclose(found[True, 0.2], found[True, 0.9], atol=1e-4)
    assert torch.equal(found[False, 0.2], found[False, 0.9])


@pytest.mark.parametrize("left_out", ["use_intermediate", "use_final"])
def test_a_switch_leaves_features_out_of_the_heatmap(sam: LoadedSam, left_out: str) -> None:
    network = prompted(sam, **{left_out: False}).eval()
    with torch.no_grad():
        intermediate, embedding = network.encoder(image())
        heatmap = network.decoder.raw(intermediate, embedding)[1]
        other = (intermediate + 1, embedding) if left_out == "use_intermediate" else (intermediate, embedding + 1)
        kept = (intermediate, embedding + 1) if left_out == "use_intermediate" else (intermediate + 1, embedding)
        assert torch.equal(network.decoder.raw(*other)[1], heatmap)
        assert not torch.equal(network.decoder.raw(*kept)[1], heatmap)


def test_a_map_of_the_part_is_read_where_the_pose_says() -> None:
    places = PlaceMap(2, 8, (6, 4))
    part = (torch.arange(8) + 0.5) / 4 - 1.0
    with torch.no_grad():
        places.map.copy_(torch.stack(torch.meshgrid(part, part, indexing="xy"))[None])
    pose = torch.tensor([[[0.3, -0.1, 0.2], [0.1, 0.4, -0.3]], UNPLACED.tolist()])
    with torch.no_grad():
        read = places(pose)
    u, v = -1 + 2 * (4 + 0.5) / 6, -1 + 2 * (1 + 0.5) / 4  # the cell in column 4 and row 1
    assert read.shape == (2, 2, 4, 6)
    assert read[0, :, 1, 4].tolist() == pytest.approx([0.3 * u - 0.1 * v + 0.2, 0.1 * u + 0.4 * v - 0.3], abs=1e-5)
    assert not read[1].any()


def test_where_on_the_part_it_looks_changes_the_heatmap_and_is_learnt(sam: LoadedSam) -> None:
    torch.manual_seed(1)
    encoder = SamEncoder(sam, 2)
    decoder = PromptedDecoder(sam, encoder, 16, places=8, layout={"a": (0.0, 0.0)}).eval()
    assert decoder.places is not None
    features = encoder(image())
    here, there = (torch.tensor([[[0.2, 0.0, x], [0.0, 0.2, 0.0]]] * 2) for x in (-0.5, 0.5))
    assert not torch.equal(decoder.raw_heatmap(*features, here), decoder.raw_heatmap(*features, there))
    decoder.raw_heatmap(*features, here).sum().backward()
    assert float(decoder.places.map.grad.abs().sum()) > 0.0


def test_without_keypoints_there_is_no_map_of_the_part(sam: LoadedSam) -> None:
    decoder = PromptedDecoder(sam, SamEncoder(sam, 2), 16, places=8, layout={})
    assert decoder.places is None
    assert decoder.layout == {}


def test_channels_of_very_different_size_count_alike() -> None:
    """Hidden states of transformers have channels a thousand times as large as others."""
    torch.manual_seed(0)
    fusion = Fusion(8, CHANNELS, 16).train()
    intermediate, embedding = torch.randn(2, 8, 4, 4), torch.randn(2, CHANNELS, 4, 4)
    scale = torch.logspace(-1, 4, 8).reshape(1, 8, 1, 1)
    assert torch.allclose(fusion(intermediate, embedding), fusion(intermediate * scale, embedding), atol=0.05)


@pytest.mark.parametrize("parameters", [150_000, 690_000, 3_000_000])
def test_a_unet_is_of_the_size_that_is_asked_for(parameters: int) -> None:
    network = unet_of(parameters, (64, 64), (16, 16))
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(parameters, rel=0.05)


def test_a_unet_answers_as_s4_does() -> None:
    torch.manual_seed(0)
    network = unet_of(20_000, (64, 32), (16, 8)).eval()
    image = torch.randint(0, 256, (3, 32, 64, 1), dtype=torch.uint8)
    with torch.no_grad():
        logits, heatmap = network(image)
        assert torch.equal(logits, network.raw(image))
    assert logits.shape == (3, 32, 64)
    assert heatmap.shape == (3, 8, 16)
    assert float(heatmap.max()) == pytest.approx(float(logits.sigmoid().max()))


def test_a_label_prompts_in_place_of_what_is_predicted(sam: LoadedSam) -> None:
    network = prompted(sam).eval()
    torch.nn.init.normal_(network.decoder.encoding.fused[1].weight, std=0.1)
    with torch.no_grad():
        features = network.encoder(image())
        logits, heatmap = network.decoder.raw(*features)
        label = torch.zeros_like(heatmap)
        label[:, :8] = 1.0
        told = network.decoder.raw(*features, instead=label)
        same = network.decoder.raw(*features, instead=heatmap.clamp(0.0, 1.0))
    assert torch.equal(told[1], heatmap)  # what is predicted, and learns, is the same
    assert not torch.allclose(told[0], logits)
    assert torch.equal(same[0], logits)
