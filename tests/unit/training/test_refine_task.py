from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.devices.cpu import CpuDevice
from engines.engine import Tensors
from engines.spec import NetworkSpec
from pipeline.geometry import Region
from pipeline.network import Network, RefineCard
from pipeline.pixels import mono8_frame
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine as RefineStage
from pipeline.stages.values import CoarseKeypoints
from training import augment
from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import Method, load_method
from training.networks.refine import tiny_refine
from training.refine_samples import RefineSamples
from training.refine_task import RefineTask, refine_predictions

SIX = np.arange(6)
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]) - [-1 / 3, -1 / 3]  # in any unit


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


class Stepping(nn.Module):
    """Always two patch px to the right and one up; it counts passes in its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor([2.0, -1.0]))

    def forward(self, patches: Tensor, keypoint: Tensor, span: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count = patches.shape[0]
        return self.step.expand(count, 2), torch.stack((span, keypoint), 1).float(), torch.full((count, 2), 0.5)


class TorchEngine:
    """A torch network where the pipeline expects an engine."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @property
    def spec(self) -> NetworkSpec:
        raise NotImplementedError

    @property
    def backend(self) -> str:
        return "torch"

    def warm_up(self, batch: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def run(self, inputs: Tensors) -> Tensors:
        with torch.no_grad():
            outputs = self.network(*(torch.from_numpy(inputs[name]) for name in ("patches", "keypoint", "span")))
        return dict(zip(("offset", "visibility", "sigma"), (output.numpy() for output in outputs), strict=True))


def test_every_pass_adds_its_step_in_its_own_scale(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None
    start = canvas.xy_canvas_px[SIX]
    xy, logits, sigma = refine_predictions(Stepping(), canvas, SIX, start, method.refine, CORNERS)
    assert xy - start == pytest.approx(np.full((6, 3, 2), (2.0, -1.0)) * (48.0 + 24.0) / 16, abs=1e-3)
    assert (logits == [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]).all()  # those of the last pass
    assert sigma == pytest.approx(np.full((6, 3, 2), 0.5 * 24.0 / 16))


@pytest.mark.parametrize("lies_deg", [None, 0.0, 35.0, -140.0])
def test_positions_are_those_that_the_pipeline_finds(canvas: Canvas, method: Method, lies_deg: float | None) -> None:
    """Of upright patches, and of turned ones where the mean shape lies at an angle to the part."""
    assert method.refine is not None
    torch.manual_seed(0)
    network = tiny_refine(3, 2, 16).eval()
    with torch.no_grad():
        network.vote.weight.mul_(30.0)  # untrained, it would hardly move
    smooth = cv2.GaussianBlur(canvas.large[0], (0, 0), 3.0)  # the two sample alike but for rounding
    start = canvas.xy_canvas_px[:1] + np.array([[2.3, -1.6], [-3.1, 0.4], [0.2, 2.9]], np.float32)
    own = msgspec.structs.replace(method.refine, spans_px=[48.0, 24.0], turned=lies_deg is not None)
    mean = augment.mapped(augment.similarity(lies_deg or 0.0, 1.0, (0, 0), (0, 0)), CORNERS)
    blurred = Canvas(smooth[None], *(getattr(canvas, name) for name in Canvas.__dataclass_fields__ if name != "large"))
    xy, logits, sigma = refine_predictions(network, blurred, SIX[:1], start, own, mean)
    assert np.abs(xy - start).max() > 1.0

    pose = [(x, y) for x, y in mean.tolist()] if own.turned else None
    card = RefineCard(["a", "b", "c"], (192, 160), has_sigma=True, patch=16, spans_px=own.spans_px, pose=pose)
    device = CpuDevice()
    stage = RefineStage(Network(Path("refine.onnx"), card, TorchEngine(network)), device)
    prepared = Preprocess((96, 80), (192, 160), device)(
        mono8_frame(np.asarray(smooth, np.uint8)), [Region(0, 0, 192, 160)]
    )
    first = CoarseKeypoints(start[0].astype(np.float64), np.zeros((3, 2), np.float32), np.full(3, np.nan))
    (found,) = stage(prepared, [first])
    assert found.xy_large_px == pytest.approx(xy[0], abs=0.1)
    assert found.logits == pytest.approx(logits[0], abs=0.1)
    assert found.sigma_large_px == pytest.approx(np.sqrt((sigma[0] ** 2).mean(1)), rel=0.1)


def test_patches_do_not_show_what_lies_around_the_region(canvases: tuple[Canvas, Canvas], method: Method) -> None:
    assert method.refine is not None
    torch.manual_seed(0)
    network = tiny_refine(3, 2, 16).eval()
    found = []
    for canvas in canvases:
        start = canvas.xy_canvas_px[SIX]
        xy, logits, _ = refine_predictions(network, canvas, SIX, start, method.refine, CORNERS)
        found.append(np.concatenate((xy - start, logits), axis=2))
    assert found[1] == pytest.approx(found[0], abs=1e-2)


def test_losses_are_finite_named_and_weighed_by_the_method(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None

    def losses(**weights: float) -> dict[str, float]:
        assert method.refine is not None
        own = msgspec.structs.replace(method.refine, **weights)
        samples = RefineSamples(canvas, SIX, method, own, np.zeros((8, 3, 2), np.float32), 1, np.arange(3), CORNERS)
        task = RefineTask(samples, SIX, canvas.xy_canvas_px[SIX])
        torch.manual_seed(0)
        batch = {name: torch.from_numpy(value) for name, value in task.batch(0).items()}
        return {name: loss.item() for name, loss in task.losses(tiny_refine(3, 2, 16), batch).items()}

    plain = losses(visibility_weight=1.0, sigma_weight=0.1)
    heavy = losses(visibility_weight=2.0, sigma_weight=0.3)
    assert set(plain) == {"position", "visibility", "sigma"}
    assert all(np.isfinite(loss) and loss >= 0 for loss in plain.values())
    assert heavy["position"] == pytest.approx(plain["position"])
    assert heavy["visibility"] == pytest.approx(2 * plain["visibility"])
    assert heavy["sigma"] == pytest.approx(3 * plain["sigma"])


def test_validation_tells_errors_in_px_of_the_sensor(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None
    samples = RefineSamples(
        canvas, SIX, method, method.refine, np.zeros((8, 3, 2), np.float32), 1, np.arange(3), CORNERS
    )
    step = np.array([2.0, -1.0]) * (48.0 + 24.0) / 16
    start = (canvas.xy_canvas_px[SIX] - step).astype(np.float32)  # what the passes will make good
    start[:, 0, 0] += 3.0
    figures = RefineTask(samples, SIX, start).validate(Stepping())
    assert set(figures) == {"mean_px", "median_px", "p95_px", "auc"}
    assert figures["p95_px"] == pytest.approx(3.0, abs=1e-2)
    assert figures["median_px"] == pytest.approx(0.0, abs=1e-2)
