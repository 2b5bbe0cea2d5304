"""Defects found with every image in a GPU's memory, beside those found on the processor."""

from pathlib import Path

import pytest

from pipeline.defect_parity import DefectDifferences
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.recipe import load_recipe
from pipeline.segment_thresholds import SegmentThresholds
from tests.graphics_box import GraphicsBox
from tests.recipes import frame_with_part
from tests.segment_networks import make_defect_recipe, with_defect

pytestmark = pytest.mark.needs_debian("g++", program="g++")


@pytest.mark.parametrize("region", [(0, 0, 256, 256), (0, 90, 256, 120), (3, 5, 200, 250)])
def test_the_same_defects_are_found(tmp_path: Path, region: tuple[int, int, int, int]) -> None:
    box = GraphicsBox(tmp_path / "plans")
    folder = make_defect_recipe(tmp_path / "part", region=region, rest="", sealed=False)
    recipe = load_recipe(folder, sealed=False)
    gpu, cpu = box.inspector(recipe), Inspector.load(recipe, backend="onnxruntime")
    assert gpu.backend.startswith("tensorrt ")
    frame = mono8_frame(with_defect(with_defect(frame_with_part(), 120, 100, 40, 24), 40, 160))
    differences = DefectDifferences()
    for _ in range(3):
        (found,), (expected,) = gpu.inspect("top", frame, whole=True), cpu.inspect("top", frame, whole=True)
        assert found.image_reasons == expected.image_reasons
        assert differences.add(expected.defects, found.defects, SegmentThresholds()) == ""
    assert len(differences.iou) == 6
