from collections.abc import Callable

import numpy as np
import pytest

from training.sam_prompts import KINDS, prompts
from training.sam_rendered import rendered_scene
from training.sam_shapes import LEAST_AREA_PX, SamScene, drawn_scene

Scene = Callable[[np.random.Generator, int], SamScene]


@pytest.mark.parametrize("scene", [drawn_scene, rendered_scene])
def test_scenes_depend_on_their_seed_alone(scene: Scene) -> None:
    one, again, other = (scene(np.random.default_rng([1, seed]), 96) for seed in (0, 0, 1))
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.masks, again.masks)
    assert not np.array_equal(one.image, other.image)


@pytest.mark.parametrize("scene", [drawn_scene, rendered_scene])
def test_every_mask_is_of_a_thing_that_is_there(scene: Scene) -> None:
    for seed in range(4):
        found = scene(np.random.default_rng([2, seed]), 128)
        assert found.image.shape == (128, 128)
        assert found.image.dtype == np.uint8
        assert found.masks.shape[1:] == (128, 128)
        assert set(np.unique(found.masks)) <= {0, 255}
        assert (np.count_nonzero(found.masks, axis=(1, 2)) >= LEAST_AREA_PX).all()


def test_things_of_a_drawn_scene_differ_from_what_is_around_them() -> None:
    """On a flat ground: otherwise nothing could be learnt."""
    stands_out = []
    for seed in range(60):
        found = drawn_scene(np.random.default_rng([3, seed]), 128)
        for mask in found.masks > 0:
            around = found.image[~mask].astype(float)
            stands_out.append(abs(found.image[mask].mean() - around.mean()) / (around.std() + 1))
    assert np.median(stands_out) > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_lie_where_they_say(kind: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng([4, seed])
        masks = drawn_scene(rng, 128).masks
        asked = prompts(rng, masks, kind, 5, box_jitter=0.0)  # type: ignore[arg-type]  # a kind of theirs
        assert len(asked.masks) == 5
        for mask, points, labels, box in zip(asked.masks, asked.points, asked.labels, asked.boxes, strict=True):
            for (x, y), label in zip(points.astype(int), labels, strict=True):
                assert (mask[y, x] > 0) == bool(label)
            rows, columns = np.nonzero(mask)
            assert box.tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]


def test_each_thing_is_asked_for_about_as_often() -> None:
    masks = np.zeros((3, 32, 32), np.uint8)
    for row, mask in enumerate(masks):
        mask[row * 10 : row * 10 + 6, 4:12] = 255
    asked = prompts(np.random.default_rng(0), masks, "box", 6, box_jitter=0.0)
    tops = sorted(float(box[1]) for box in asked.boxes)
    assert tops == [0, 0, 10, 10, 20, 20]
