"""The image gate."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.recipe_file import ImageSettings
from pipeline.stages.image import check_image, image_figures, sharpness

Image = NDArray[np.uint8]


def polygons(blur_px: float, *, contrast: float = 1.0, noise: float = 0.0) -> Image:
    """Overlapping polygons of many levels, 512 x 512, drawn at twice the size and averaged."""
    random = np.random.default_rng(3)
    scene = np.full((1024, 1024), 100, np.float32)
    for _ in range(60):
        corners = random.uniform(0, 1024, (1, 2)) + random.uniform(-150, 150, (4, 2))
        cv2.fillConvexPoly(scene, cv2.convexHull(corners.astype(np.int32)), float(random.uniform(20, 180)))
    if blur_px:
        scene = cv2.GaussianBlur(scene, (0, 0), 2 * blur_px)
    scene = 100 + contrast * (cv2.resize(scene, (512, 512), interpolation=cv2.INTER_AREA) - 100)
    return (scene + random.normal(0, noise, scene.shape)).clip(0, 255).astype(np.uint8)


def test_sharpness_falls_with_blur() -> None:
    values = [sharpness(polygons(blur)) for blur in (0.0, 0.5, 1.0, 2.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.7
    assert 0.5 < values[1] < 0.65
    assert 0.35 < values[2] < 0.5
    assert values[3] < 0.37


@pytest.mark.parametrize("blur_px", [0.5, 1.0])
def test_sharpness_does_not_follow_contrast_or_noise(blur_px: float) -> None:
    plain = sharpness(polygons(blur_px))
    assert sharpness(polygons(blur_px, contrast=0.4)) == pytest.approx(plain, abs=0.05)
    assert sharpness(polygons(blur_px, noise=8.0)) == pytest.approx(plain, abs=0.05)
    assert sharpness(polygons(blur_px, contrast=0.4, noise=4.0)) == pytest.approx(plain, abs=0.06)


def test_no_edge_is_not_sharp() -> None:
    noise = np.random.default_rng(0).normal(100, 8, (512, 512)).clip(0, 255).astype(np.uint8)
    assert sharpness(noise) == 0.0
    assert sharpness(np.full((40, 17), 128, np.uint8)) == 0.0


def test_figures_are_the_mean_and_the_saturated_part() -> None:
    image = np.full((100, 100), 50, np.uint8)
    image[:, :10] = 255
    figures = image_figures(image)
    assert figures.grey == pytest.approx(70.5)
    assert figures.saturated_percent == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("image", "settings", "reasons"),
    [
        (polygons(0.0), ImageSettings((60, 180), 1.0, 0.6), []),
        (polygons(0.0) // 8, ImageSettings((60, 180), 1.0), [("image_dark", "grey", 60.0)]),
        (polygons(0.0) // 4 + 190, ImageSettings((60, 180)), [("image_saturated", "grey", 180.0)]),
        (polygons(0.0).clip(0, 100) * 2 + 55, ImageSettings(None, 1.0), [("image_saturated", "saturated", 1.0)]),
        (polygons(2.0), ImageSettings((60, 180), 1.0, 0.6), [("image_blurred", "sharpness", 0.6)]),
        (np.zeros((512, 512), np.uint8), ImageSettings(), []),
    ],
    ids=["good", "lamp out", "too bright", "overexposed", "out of focus", "no limits"],
)
def test_limits_that_are_broken_are_reasons(
    image: Image, settings: ImageSettings, reasons: list[tuple[str, str, float]]
) -> None:
    found = check_image(image, settings, "top")
    assert [(reason.code, reason.name, reason.limit) for reason in found] == reasons
    assert all(reason.view == "top" and reason.value is not None for reason in found)
