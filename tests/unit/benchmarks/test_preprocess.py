import numpy as np

from benchmarks.preprocess import SCALES, Geometry, routes, true_area


def test_the_truth_is_the_mean_over_the_area_that_a_pixel_covers() -> None:
    image = np.array([[0, 30, 90], [60, 0, 0], [0, 0, 120]], np.uint8)
    # Of 3 px to 2: a whole one and half of the middle one, in each direction.
    corner = (0 + 30 / 2 + 60 / 2 + 0 / 4) / 2.25
    other = (30 / 2 + 90 + 0 / 4 + 0 / 2) / 2.25
    assert true_area(image, (2, 2))[0].tolist() == [round(corner), round(other)]


def test_a_slope_stays_where_it_is() -> None:
    image = np.tile(np.arange(0, 240, dtype=np.uint8), (60, 1))
    reduced = true_area(image, (30, 120))
    assert np.abs(reduced[5] - (np.arange(120) * 2 + 0.5)).max() <= 0.5


def test_every_route_fills_both_images_in_the_same_phase() -> None:
    columns = np.broadcast_to(np.linspace(20.0, 200.0, 1280), (1024, 1280))
    frame = columns.astype(np.uint8)
    for scale in SCALES:
        geometry = Geometry.at(scale)
        area = geometry.cut(frame)
        truths = [true_area(area, image.shape) for image in geometry.images()]
        for name, route in routes().items():
            large, small = geometry.images()
            large[...], small[...] = 255, 255
            route(area, large, small)
            # Away from the edges, which pyrDown mirrors; a slope is the same to every kernel, but for rounding.
            for image, truth in zip((large, small), truths, strict=True):
                off = np.abs(image[:, 4:-4] - truth[:, 4:-4])
                assert off.max() <= 2.0, (name, scale, image.shape)
