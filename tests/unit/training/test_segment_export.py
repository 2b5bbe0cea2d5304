import copy
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from calibration import fp16, onnx_graph
from engines.build import _built, _Watch  # the calls of `datumd build` by themselves: what is around them asks a driver
from engines.onnx_file import read_spec
from engines.plan import Profile
from pipeline.errors import NetworkError
from pipeline.geometry import Region
from pipeline.network import load_network
from pipeline.part_pose import UNPLACED, Found
from pipeline.pixels import mono8_frame
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.segment_stage import load_segment
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.view_files import SegmentFiles
from tests.small_sams import SIDE, write_small_sam
from training.networks.prompted_sam import PromptedDecoder, PromptedSam, SamEncoder
from training.networks.sam import load_sam
from training.segment_export import DECODER, ENCODER, Parity, export_segment, parity, ship_segment

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.time_limit_s(300),
]


LAYOUT = {"a": (-0.5, -0.5), "b": (0.5, -0.5), "c": (0.0, 0.5)}


def in_fp16(file: Path) -> bytes:
    return fp16.to_fp16(onnx_graph.read(file), [])


def network(folder: Path, layout: Found) -> tuple[PromptedSam, str]:
    sam = load_sam(write_small_sam(folder))
    torch.manual_seed(1)
    encoder = SamEncoder(sam, 2)
    decoder = PromptedDecoder(sam, encoder, 16, places=8, layout=layout)
    if decoder.places is not None:
        torch.nn.init.normal_(decoder.places.map)
    torch.nn.init.normal_(decoder.encoding.fused[1].weight, std=0.3)
    return PromptedSam(encoder, decoder).eval(), sam.weights


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory,
    exporter: None,  # noqa: ARG001
) -> tuple[Path, PromptedSam, str, Parity]:
    folder = tmp_path_factory.mktemp("exported")
    whole, weights = network(folder / "sam", {})
    return folder, whole, weights, export_segment(whole, weights, folder)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, exporter: None) -> tuple[Path, PromptedSam]:  # noqa: ARG001
    """Files of networks that are told where on the part they look."""
    folder = tmp_path_factory.mktemp("placed")
    whole, weights = network(folder / "sam", LAYOUT)
    export_segment(whole, weights, folder)
    return folder, whole


def test_both_files_answer_as_torch_does_for_any_number_of_images(
    exported: tuple[Path, PromptedSam, str, Parity],
) -> None:
    folder, whole, _, found = exported
    assert found.iou == 1.0
    assert found.logit < 1e-3
    encoder = load_network(folder / ENCODER, SegmentEncoderCard)
    decoder = load_network(folder / DECODER, SegmentDecoderCard)
    for count in (1, 2, 3):
        image = np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, 1), np.uint8)
        with torch.no_grad():
            mask, heatmap = whole(torch.from_numpy(image))
        features = encoder.run({"image": image})
        found = decoder.run({name: features[name] for name in ("intermediate", "embedding")})
        assert found["mask"] == pytest.approx(mask.numpy(), abs=1e-3)
        assert found["heatmap"] == pytest.approx(heatmap.numpy(), abs=1e-4)


def test_the_cards_belong_together_and_say_which_sam_it_is(exported: tuple[Path, PromptedSam, str, Parity]) -> None:
    folder, whole, weights, _ = exported
    encoder = load_network(folder / ENCODER, SegmentEncoderCard).card
    decoder = load_network(folder / DECODER, SegmentDecoderCard).card
    assert encoder.weights == weights == decoder.weights
    assert decoder.disagreement(encoder) == ""
    assert (decoder.mask_wh, decoder.heatmap_wh) == (whole.decoder.mask_wh, whole.decoder.heatmap_wh)


def test_the_files_tell_nothing_of_the_machine(exported: tuple[Path, PromptedSam, str, Parity]) -> None:
    for name in (ENCODER, DECODER):
        model = onnx.load(exported[0] / name)
        assert [prop.key for prop in model.metadata_props] == ["datumd"]
        assert b".py" not in (exported[0] / name).read_bytes()


def test_the_daemons_stage_runs_them(exported: tuple[Path, PromptedSam, str, Parity]) -> None:
    folder = exported[0]
    stage = load_segment(SegmentFiles(folder / ENCODER, folder / DECODER, SegmentThresholds()), load_network)
    frame = mono8_frame(np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8))
    mask, heatmap, sensor_from_mask = stage.maps(frame, Region(10, 10, 80, 60))
    assert mask.shape == (32, 32)
    assert heatmap.shape == (16, 16)
    assert sensor_from_mask[0, 0] == pytest.approx(80 / 32)


def test_a_network_that_is_told_where_on_the_part_it_looks_is_told_by_the_stage(
    placed: tuple[Path, PromptedSam],
) -> None:
    folder, whole = placed
    stage = load_segment(SegmentFiles(folder / ENCODER, folder / DECODER, SegmentThresholds()), load_network)
    assert stage.keypoints == ("a", "b", "c")
    image = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    keypoints = {name: (32.0 * x + 31.5, 32.0 * y + 31.5) for name, (x, y) in LAYOUT.items()}  # as large as the image
    heatmap = stage.maps(mono8_frame(image), Region(0, 0, 64, 64), keypoints)[1].copy()
    pose = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    with torch.no_grad():
        _, expected = whole(torch.from_numpy(image[None, ..., None]), pose)
        _, unplaced = whole(torch.from_numpy(image[None, ..., None]), torch.from_numpy(UNPLACED[None]))
    assert heatmap == pytest.approx(expected[0].numpy(), abs=1e-4)
    assert stage.maps(mono8_frame(image), Region(0, 0, 64, 64))[1] == pytest.approx(unplaced[0].numpy(), abs=1e-4)
    assert np.abs(expected - unplaced).max() > 0.01


@pytest.mark.parametrize("in_precision", [Path.read_bytes, in_fp16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", [ENCODER, DECODER])
def test_a_tensorrt_builder_takes_them(
    placed: tuple[Path, PromptedSam], name: str, in_precision: Callable[[Path], bytes]
) -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings", reason="next: pip install '.[rtx-builder]'")
    network = in_precision(placed[0] / name)
    plan = _built(trt, network, read_spec(network).inputs, Profile(1, 2), _Watch(lambda _: None, threading.Event()))
    assert len(plan) > 10_000


def test_files_that_differ_from_torch_are_refused(exported: tuple[Path, PromptedSam, str, Parity]) -> None:
    folder, whole, _, _ = exported
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE), np.uint8)
    assert parity(whole, folder, images).iou == 1.0
    other = copy.deepcopy(whole)
    other.decoder.encoding.fused[1].bias.data += 0.5
    with pytest.raises(NetworkError, match=r"segment_decoder\.onnx: differs from torch: IoU"):
        parity(other, folder, images)


def test_a_training_is_shipped_whole_and_an_older_calibration_goes(tmp_path: Path) -> None:
    stage, folder = tmp_path / "stage", tmp_path / "view"
    for place, names in ((stage, (ENCODER, DECODER)), (folder, (ENCODER, "segment.toml", "coarse.onnx"))):
        place.mkdir()
        for name in names:
            (place / name).write_text(place.name)
    ship_segment(stage, folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        ENCODER: "stage",
        DECODER: "stage",
        "coarse.onnx": "view",
    }
    (stage / "segment.toml").write_text("stage")
    ship_segment(stage, folder)
    assert (folder / "segment.toml").read_text() == "stage"
