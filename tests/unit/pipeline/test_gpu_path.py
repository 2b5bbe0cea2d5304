"""Whole inspections with every image in a GPU's memory, beside those on the processor: the same parts, the same keypoints."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bare import RECIPE, VIEW
from engines.errors import EngineRefused
from engines.plan import Profile
from pipeline.errors import EngineError
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.network import CoarseCard, Network, PosedCard, RefineCard, read_card
from pipeline.pixels import mono8_frame
from pipeline.qualify import qualify, read_grey
from pipeline.recipe import load_recipe
from pipeline.shape import ShapeModel, write_shape
from tests.graphics_box import GraphicsBox
from tests.host_driver import HostMemory
from tests.networks import write_coarse, write_posed, write_refine
from tests.recipes import DOTS, KEYPOINTS, LARGE_WH, SMALL_WH, draw_part, frame_with_part, make_recipe

pytestmark = pytest.mark.needs_debian("g++", program="g++")

LIMIT_PX = 0.02
SIDE = float(np.sqrt(0.5))


@pytest.fixture
def box(tmp_path: Path) -> GraphicsBox:
    return GraphicsBox(tmp_path / "plans")


def compared(one: Inspector, two: Inspector, view: str, frame: Frame) -> tuple[int, float]:
    """How many keypoints both found, and how far they lie apart at most, in px; all else must be the same."""
    found, expected = one.inspect(view, frame), two.inspect(view, frame)
    assert [(part.region, part.image_reasons) for part in found] == [
        (part.region, part.image_reasons) for part in expected
    ]
    apart = []
    for here, there in zip(found, expected, strict=True):
        for this, that in zip(here.keypoints, there.keypoints, strict=True):
            assert (this.name, this.state) == (that.name, that.state)
            if this.x is not None and that.x is not None and this.y is not None and that.y is not None:
                apart.append(np.hypot(this.x - that.x, this.y - that.y))
    return len(apart), max(apart, default=0.0)


def everything(folder: Path) -> Path:
    """A recipe with a cascade, a refine network of turned patches and a shape."""
    recipe = make_recipe(folder / "part", ["top"], sealed=False)
    view = recipe / "top"
    pose = [(23.5, 23.5), (71.5, 23.5), (23.5, 71.5), (71.5, 71.5)]
    write_coarse(
        view / "coarse.onnx",
        CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH),
        DOTS * SMALL_WH - 0.5,
        visible=[8.0] * 4,
    )
    posed = PosedCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, image_wh=(96, 96), pose_px=pose)
    write_posed(view / "posed.onnx", posed, visible=[1.0] * 4)
    refine = RefineCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, patch=16, spans_px=[64.0, 32.0, 16.0], pose=pose)
    write_refine(view / "refine.onnx", refine)
    square = [(-SIDE, -SIDE), (SIDE, -SIDE), (-SIDE, SIDE), (SIDE, SIDE)]
    write_shape(view / "shape.json", ShapeModel(KEYPOINTS, square, [], [], [0.005] * 4))
    return recipe


def test_the_example_lies_where_it_does_on_the_processor(box: GraphicsBox) -> None:
    recipe = load_recipe(RECIPE)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    assert gpu.backend.startswith("tensorrt ")
    assert qualify(recipe, gpu).max_px <= recipe.limit_px
    images = [recipe.folder / reference.image for reference in recipe.views[VIEW].references]
    results = [compared(gpu, cpu, VIEW, mono8_frame(read_grey(image))) for image in images]
    assert sum(count for count, _ in results) > 20
    assert max(px for _, px in results) <= LIMIT_PX


def test_a_frame_goes_up_once_and_only_answers_come_down(box: GraphicsBox) -> None:
    inspector = box.inspector(load_recipe(everything(box.plans.parent), sealed=False))
    frames = [mono8_frame(frame_with_part(shift_px=(shift, 2.0 - shift))) for shift in (0.0, 1.5, 3.0, 4.5)]
    for frame in frames[:3]:
        inspector.inspect("top", frame)
    graphs, before = box.driver.captures, len(box.driver.done)
    inspector.inspect("top", frames[3])
    done = box.driver.done[before:]
    assert box.driver.captures == graphs  # all of it had been seen
    assert done.count("put_rows") == 1
    networks = done.count("execute_async_v3")
    assert networks == 2 + 3  # coarse, posed, three passes
    assert done.count("fetch") == networks


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.4, -7.3), (-20.0, 30.5)])
@pytest.mark.parametrize("region", [(0, 0, 256, 256), (-40, -30, 300, 310), (12, 5, 600, 600)])
def test_a_cascade_with_turned_patches_and_a_shape(
    box: GraphicsBox, shift: tuple[float, float], region: tuple[int, int, int, int]
) -> None:
    folder = everything(box.plans.parent)
    text = (folder / "recipe.toml").read_text()
    box_text = f"fixed = [{', '.join(map(str, region))}]"
    lines = [box_text if line.startswith("fixed") else line for line in text.splitlines()]
    (folder / "recipe.toml").write_text("\n".join(lines))
    recipe = load_recipe(folder, sealed=False)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    noise = np.random.default_rng(1).integers(0, 9, (700, 700), np.uint8)
    frame = noise + np.pad(frame_with_part(shift_px=shift), ((0, 444), (0, 444)))
    for _ in range(3):
        assert compared(gpu, cpu, "top", mono8_frame(frame))[1] <= LIMIT_PX


def test_frames_of_views_that_are_alike_go_through_together(box: GraphicsBox, tmp_path: Path) -> None:
    recipe = load_recipe(everything(tmp_path), sealed=False)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    frames = [("top", mono8_frame(frame_with_part(shift_px=shift))) for shift in ((3.4, -7.3), (-5.0, 2.5))]
    for (_, frame), (found,) in zip(frames, gpu.inspect_together(frames), strict=True):
        (alone,) = cpu.inspect("top", frame)
        here, there = (np.array([(point.x, point.y) for point in one.keypoints]) for one in (found, alone))
        assert np.abs(here - there).max() <= LIMIT_PX


def test_runs_that_keep_the_networks_warm_change_nothing(box: GraphicsBox) -> None:
    recipe = load_recipe(RECIPE)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    frame = mono8_frame(read_grey(recipe.folder / recipe.views[VIEW].references[0].image))
    for run in gpu.blank_runs:
        assert compared(gpu, cpu, VIEW, frame)[1] < LIMIT_PX
        run()
    count, apart_px = compared(gpu, cpu, VIEW, frame)
    assert count > 0
    assert apart_px < LIMIT_PX


def test_frames_whose_parts_are_not_looked_at_leave_no_work_behind(box: GraphicsBox) -> None:
    recipe = load_recipe(
        make_recipe(box.plans.parent / "part", ["top"], region=(0, 0, 300, 300), sealed=False), sealed=False
    )
    inspector = box.inspector(recipe)
    inspector.inspect("top", mono8_frame(frame_with_part((0, 0, 300, 300))))
    before = len(box.driver.done)
    for _ in range(20):
        (found,) = inspector.inspect("top", mono8_frame(np.zeros((256, 256), np.uint8)))  # the region reaches out of it
        assert [reason.code for reason in found.image_reasons] == ["region_outside"]
    inspector.inspect("top", mono8_frame(frame_with_part((0, 0, 300, 300))))
    assert box.driver.done[before:].count("execute_async_v3") == 3
    assert box.driver.done[before:].count("linear") + box.driver.done[before:].count("halve") <= 4


def test_parts_that_are_looked_for_and_pictures_that_are_judged(box: GraphicsBox) -> None:
    blob = '{ blob = { mode = "grey", cell_px = 4, area_px = [2000.0, 90000.0], margin = 0.0 } }'
    limits = "image = { grey = [1.0, 254.0], sharpness = 0.01 }"
    folder = make_recipe(box.plans.parent / "tray", ["top"], locate=blob, rest=limits, sealed=False)
    recipe = load_recipe(folder, sealed=False)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    tray = np.full((500, 900), 20, np.uint8)
    for x, y in ((30, 40), (330, 60), (640, 200)):
        tray[y : y + 202, x : x + 202] = 60
        draw_part(tray, (x, y, 202, 202))
    for number in range(3):
        count, px = compared(gpu, cpu, "top", mono8_frame(np.roll(tray, 7 * number, axis=1)))
        assert count == 3 * len(KEYPOINTS)
        assert px <= LIMIT_PX


def test_a_gpu_whose_memory_is_full_says_nothing_against_a_network(
    box: GraphicsBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = load_recipe(RECIPE).views[VIEW].coarse
    box.build(file.read_bytes(), Profile(1, 16))
    engine = box.load(file.read_bytes())
    network = Network(file, read_card(engine.spec, CoarseCard, file), engine)

    def full(_count: int) -> HostMemory:
        raise EngineRefused("the GPU failed: out of memory")

    monkeypatch.setattr(box.driver, "allocate", full)
    with pytest.raises(EngineError, match=r"coarse\.onnx: the GPU failed: out of memory"):
        network.warm_up(3)  # not a size that is kept from the start
