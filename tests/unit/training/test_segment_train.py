import copy
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from pipeline.errors import DataError, NetworkError
from pipeline.part_pose import UNPLACED
from tests.small_sams import write_masked, write_small_sam
from training.masks.folder import read_mask_folder
from training.masks.sample import MaskedSet
from training.networks.prompted_sam import PromptedDecoder, PromptedSam, SamEncoder
from training.networks.sam import LoadedSam, load_sam
from training.networks.unet import UNet
from training.segment_export import check_size
from training.segment_features import FeatureStore
from training.segment_method import HeatmapMethod, PromptNetwork, SegmentAugment, SegmentMethod, SegmentSplit
from training.segment_samples import SegmentSamples
from training.segment_task import SegmentTask
from training.segment_train import SegmentRun, TrainedSegment, divide_segment, train_segment

METHOD = SegmentMethod(
    steps=12, images=4, network=PromptNetwork(states=2, width=16), augment=SegmentAugment(variants=2)
)


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> LoadedSam:
    return load_sam(write_small_sam(tmp_path_factory.mktemp("sam")))


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_masked(tmp_path_factory.mktemp("set") / "tiles", bad=6, good=4)


@dataclass(frozen=True)
class Done:
    """One training, and the weights of its SAM from before."""

    work: Path
    trained: TrainedSegment
    before: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def done(tiles: Path, sam: LoadedSam, tmp_path_factory: pytest.TempPathFactory) -> Done:
    work = tmp_path_factory.mktemp("done")
    before = copy.deepcopy(sam.model.state_dict())
    return Done(work, train_segment(run(tiles, sam, work)), before)


def run(tiles: Path, sam: LoadedSam, work: Path, method: SegmentMethod = METHOD, *, resume: bool = False) -> SegmentRun:
    images = read_mask_folder(tiles)
    train, validation = images.chosen([0, 1, 2, 4, 5, 6, 7]), images.chosen([3, 8, 9])  # the first four are good
    return SegmentRun(method, sam, train, validation, work, resume, lambda _: None)


def test_no_frozen_weight_moves_and_every_other_one_does(
    done: Done, tiles: Path, sam: LoadedSam, tmp_path: Path
) -> None:
    network, before = done.trained.network, done.before
    assert isinstance(network, PromptedSam)
    for name, weight in sam.model.state_dict().items():
        assert torch.equal(weight, before[name]), name
    for part, prefix in ((network.encoder.vision, "vision_encoder"), (network.decoder.masks.decoder, "mask_decoder")):
        inside = {**dict(part.named_parameters()), **dict(part.named_buffers())}
        assert inside
        for name, weight in inside.items():
            assert torch.equal(weight, before[f"{prefix}.{name}"]), name
    fresh = train_segment(run(tiles, sam, tmp_path, msgspec.structs.replace(METHOD, steps=1))).network
    assert isinstance(fresh, PromptedSam)
    moved = dict(network.decoder.named_parameters())
    for name, weight in fresh.decoder.named_parameters():
        assert torch.equal(weight, moved[name]) != weight.requires_grad, name
    assert done.trained.parameters == sum(weight.numel() for weight in network.decoder.trained())


def test_the_heatmap_learns_where_defects_are(tiles: Path, sam: LoadedSam, tmp_path: Path) -> None:
    """The mask decoder of this SAM knows nothing, so that no mask can be right; the heatmap can."""
    method = msgspec.structs.replace(METHOD, steps=60, images=6, learning_rate=5e-3)
    trained = train_segment(run(tiles, sam, tmp_path / "work", method))
    first, last = trained.state.history[0], trained.state.history[-1]
    assert last["heatmap"] < 0.2 * first["heatmap"]
    with torch.no_grad():
        _, heatmap = trained.network(torch.from_numpy(trained.examples[..., None]))
    good, *bad = heatmap.amax((1, 2)).tolist()
    assert good < 0.4
    assert min(bad) > 0.6
    assert 0.0 <= last["iou"] <= 1.0
    assert last["auroc"] == 1.0
    assert 0.0 <= last["iou_unprompted"] <= 1.0
    assert trained.verdict.startswith("loss ")
    assert "iou " in trained.verdict
    assert (tmp_path / "work" / "curves.png").stat().st_size > 0


def test_the_mask_learns_in_some_of_the_steps_and_the_heatmap_in_all(
    tiles: Path, sam: LoadedSam, tmp_path: Path
) -> None:
    method = msgspec.structs.replace(METHOD, steps=3, heatmap=HeatmapMethod(taught=0.0, mask_every=2))
    images = read_mask_folder(tiles)
    encoder = SamEncoder(sam, method.network.states)
    network = PromptedDecoder(sam, encoder, method.network.width)
    sizes = encoder.image_wh, network.mask_wh, network.heatmap_wh
    samples = SegmentSamples(images, method, *sizes)
    task = SegmentTask(samples, samples, 1, FeatureStore(encoder, sam.weights, tmp_path, 0.1))
    learnt = []
    for step in range(method.steps):
        batch = {name: torch.from_numpy(array) for name, array in task.batch(step).items()}
        network.zero_grad()
        losses = task.losses(network, batch)
        torch.stack(list(losses.values())).sum().backward()
        moved = {name.partition(".")[0] for name, weight in network.named_parameters() if weight.grad is not None}
        learnt.append((set(losses), moved))
    heatmap, mask = {"fusion", "head"}, {"encoding"}
    assert learnt[0] == learnt[2] == ({"entropy", "dice", "heatmap"}, heatmap | mask)
    assert learnt[1] == ({"heatmap"}, heatmap)


def test_labelled_keypoints_tell_where_on_the_part_an_image_lies(tiles: Path, sam: LoadedSam, tmp_path: Path) -> None:
    network = PromptNetwork(states=2, width=16, places=4)
    method = msgspec.structs.replace(METHOD, steps=2, network=network)
    said: list[str] = []
    without = replace(run(tiles, sam, tmp_path / "without", method), report=said.append)
    trained = train_segment(without).network
    assert isinstance(trained, PromptedSam)
    assert trained.decoder.layout == {}
    assert any(line.startswith("no part has 3 keypoints") for line in said)
    keypoints = {"a": (10.0, 10.0), "b": (80.0, 10.0), "c": (40.0, 50.0)}
    sides = [
        MaskedSet([replace(image, keypoints=keypoints) for image in images.images])
        for images in (without.train, without.validation)
    ]
    sides[0] = MaskedSet([replace(sides[0].images[0], keypoints={}), *sides[0].images[1:]])
    trained = train_segment(replace(without, train=sides[0], validation=sides[1], work=tmp_path / "with")).network
    kinds = sides[0].kinds
    good = sum(kind == "" for kind in kinds)
    told = (good - (kinds[0] == ""), len(kinds) - good - (kinds[0] != ""))
    shares = f"on {told[0]} of {good} good parts and {told[1]} of {len(kinds) - good} others"
    assert any(line.endswith(shares) for line in said)
    assert isinstance(trained, PromptedSam)
    assert set(trained.decoder.layout) == set(keypoints)
    assert max(abs(value) for place in trained.decoder.layout.values() for value in place) == pytest.approx(1 / 1.35)


def test_one_image_in_ten_is_not_told_where_it_lies(tiles: Path) -> None:
    layout = {"a": (-0.5, -0.5), "b": (0.5, -0.5), "c": (0.0, 0.5)}
    places = {name: (45.0 + 40.0 * x, 30.0 + 40.0 * y) for name, (x, y) in layout.items()}
    images = MaskedSet([replace(image, keypoints=places) for image in read_mask_folder(tiles).images])
    samples = SegmentSamples(images, METHOD, (64, 64), (32, 32), (16, 16), layout)
    task = SegmentTask(samples, samples, variants=1)
    poses = np.concatenate([task.batch(step)["pose"] for step in range(100)])
    unplaced = (poses == UNPLACED).all(axis=(1, 2))
    assert 20 < unplaced.sum() < 60
    assert len({pose.tobytes() for pose in poses[~unplaced]}) == 1  # all lie alike: what is left out is not kept


def test_labels_prompt_at_first(tiles: Path) -> None:
    method = msgspec.structs.replace(METHOD, steps=10, heatmap=HeatmapMethod(taught=0.4))
    samples = SegmentSamples(read_mask_folder(tiles), method, (64, 64), (32, 32), (16, 16))
    task = SegmentTask(samples, samples, variants=1)
    assert [bool(task.batch(step)["taught"]) for step in range(10)] == [True] * 4 + [False] * 6


def test_a_unet_learns_from_the_same_images(done: Done, tiles: Path, sam: LoadedSam, tmp_path: Path) -> None:
    method = msgspec.structs.replace(METHOD, network=PromptNetwork(kind="unet", states=2, width=16))
    trained = train_segment(run(tiles, sam, tmp_path, method))
    assert isinstance(trained.network, UNet)
    assert trained.parameters == pytest.approx(done.trained.parameters, rel=0.1)
    assert np.array_equal(trained.examples, done.trained.examples)
    logits, heatmap = trained.network(torch.from_numpy(trained.examples[..., None]))
    assert logits.shape[1:] == (64, 64)
    assert heatmap.shape[1:] == (16, 16)
    assert not (tmp_path / "features").exists()


def test_a_training_that_has_ended_is_not_done_again(done: Done, tiles: Path, sam: LoadedSam) -> None:
    again = train_segment(run(tiles, sam, done.work, resume=True)).network.state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in done.trained.network.state_dict().items())


def test_a_training_is_a_function_of_its_seed(done: Done, tiles: Path, sam: LoadedSam, tmp_path: Path) -> None:
    whole = done.trained.network.state_dict()
    twice, other = (
        train_segment(run(tiles, sam, tmp_path / str(seed), msgspec.structs.replace(METHOD, seed=seed))).network
        for seed in (0, 1)
    )
    assert all(torch.equal(weight, twice.state_dict()[name]) for name, weight in whole.items())
    assert not all(torch.equal(weight, other.state_dict()[name]) for name, weight in whole.items())


def test_a_checkpoint_of_another_sam_is_refused(done: Done, tiles: Path, tmp_path: Path) -> None:
    other = load_sam(write_small_sam(tmp_path, seed=1))
    with pytest.raises(DataError, match="was trained with sam = "):
        train_segment(run(tiles, other, done.work, resume=True))


def test_where_there_is_no_room_there_are_fewer_variants(tiles: Path, sam: LoadedSam, tmp_path: Path) -> None:
    each = 2 * (48 + 32) * 8 * 8
    said: list[str] = []
    tight = msgspec.structs.replace(METHOD, features_gb=10 * each / 1e9, augment=SegmentAugment(variants=8))
    whole = run(tiles, sam, tmp_path / "work", tight)
    train_segment(SegmentRun(tight, sam, whole.train, whole.validation, whole.work, whole.resume, said.append))
    assert any("7 images in 1 variants, 3 to validate" in line for line in said)


@pytest.mark.parametrize(("chosen", "what"), [([0, 1, 9], "train"), ([8, 9, 3], "validate")])
def test_images_without_any_defect_are_refused(
    tiles: Path, sam: LoadedSam, tmp_path: Path, chosen: list[int], what: str
) -> None:
    images = read_mask_folder(tiles)
    parts = images.chosen(chosen[:2]), images.chosen(chosen[2:])
    with pytest.raises(DataError, match=f"images to {what} on has a defect"):
        train_segment(SegmentRun(METHOD, sam, *parts, tmp_path / "work", False, lambda _: None))


def test_a_sam_that_no_file_can_hold_is_refused_before_training() -> None:
    class Huge(SamEncoder):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.large = torch.nn.Parameter(torch.empty(637_000_000, device="meta"))

    with pytest.raises(NetworkError, match=r"2\.5 GB of weights"):
        check_size(Huge(), "sam-vit-huge")


def test_images_are_divided_into_three(tiles: Path) -> None:
    images = read_mask_folder(tiles)
    sides = divide_segment(images, SegmentSplit(calibration=0.3, validation=0.3), 0)
    names = [name for side in sides for name in side.names]
    assert sorted(names) == sorted(images.names)
    assert len(set(names)) == len(names)
    assert all(len(side) >= 2 for side in sides)
