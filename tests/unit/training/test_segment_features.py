import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.small_sams import SIDE, write_small_sam
from training.networks.prompted_sam import SamEncoder
from training.networks.sam import load_sam
from training.segment_features import FeatureStore


@pytest.fixture
def encoder(tmp_path: Path) -> SamEncoder:
    return SamEncoder(load_sam(write_small_sam(tmp_path / "small")), 2)


def image(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8)


def never() -> NDArray[np.uint8]:
    raise AssertionError("the image is read again")


def test_features_are_those_of_the_encoder(encoder: SamEncoder, tmp_path: Path) -> None:
    store = FeatureStore(encoder, "a", tmp_path / "f", 1.0)
    found = store(store.key(image(0)), lambda: image(0))
    with torch.no_grad():
        expected = encoder(torch.from_numpy(image(0)[None, ..., None]))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float16
        assert one.astype(np.float32) == pytest.approx(other[0].numpy(), rel=2e-3, abs=2e-3)


def test_what_was_computed_once_is_kept_for_others(encoder: SamEncoder, tmp_path: Path) -> None:
    first = FeatureStore(encoder, "a", tmp_path / "f", 1.0)
    found = first(first.key(image(0)), lambda: image(0))
    second = FeatureStore(encoder, "a", tmp_path / "f", 1.0)
    again = second(second.key(image(0)), never)
    assert second.computed == 0
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


def test_another_image_and_another_sam_have_other_features(encoder: SamEncoder, tmp_path: Path) -> None:
    one, other = (FeatureStore(encoder, name, tmp_path / "f", 1.0) for name in ("a", "b"))
    changed = image(0)
    changed[5, 5] ^= 1
    assert len({one.key(image(0)), one.key(changed), other.key(image(0))}) == 3


def test_no_more_is_kept_than_there_is_room_for(encoder: SamEncoder, tmp_path: Path) -> None:
    each = FeatureStore(encoder, "a", tmp_path / "f", 1.0).bytes_each
    assert each == 2 * (48 + 32) * 8 * 8
    gigabytes = 2.5 * each / 1e9
    store = FeatureStore(encoder, "a", tmp_path / "f", gigabytes)
    assert store.capacity == 2
    for seed in (0, 1, 2, 2):
        store(store.key(image(seed)), lambda seed=seed: image(seed))
    assert len(list((tmp_path / "f").glob("*.npy"))) == 2
    assert store.computed == 4
    FeatureStore(encoder, "a", tmp_path / "f", gigabytes)(store.key(image(1)), never)


def test_a_file_of_another_shape_is_made_anew(encoder: SamEncoder, tmp_path: Path) -> None:
    store = FeatureStore(encoder, "a", tmp_path / "f", 1.0)
    key = store.key(image(0))
    expected = store(key, lambda: image(0))
    np.save(tmp_path / "f" / f"{key}.npy", np.zeros((3, 4), np.float16))
    assert np.array_equal(store(key, lambda: image(0))[0], expected[0])


def test_a_file_that_was_cut_off_is_made_anew(encoder: SamEncoder, tmp_path: Path) -> None:
    store = FeatureStore(encoder, "a", tmp_path / "f", 1.0)
    key = store.key(image(0))
    expected = store(key, lambda: image(0))
    path = tmp_path / "f" / f"{key}.npy"
    whole = path.read_bytes()
    for left in (b"", whole[:40], whole[:-7]):
        path.write_bytes(left)
        again = store(key, lambda: image(0))
        assert all(np.array_equal(one, other) for one, other in zip(expected, again, strict=True))
        assert path.read_bytes() == whole


def test_other_colours_have_other_features(tmp_path: Path) -> None:
    sam = load_sam(write_small_sam(tmp_path / "small"))
    warmer = dataclasses.replace(sam, mean=(1.0, 2.0, 3.0))
    keys = {FeatureStore(SamEncoder(one, 2), "a", tmp_path / "f", 1.0).key(image(0)) for one in (sam, warmer)}
    assert len(keys) == 2
