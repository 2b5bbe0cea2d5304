import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.networks.rectify import Pose, pose_loss, warp

WH = 72, 56
MIDDLE = torch.tensor([34.2, 29.7])
ANGLE = st.floats(-3.1, 3.1)


def pose(angle: float, scale: float, x: float, y: float) -> Pose:
    turn = torch.tensor([[scale * np.cos(angle), scale * np.sin(angle)]], dtype=torch.float32)
    return Pose(turn, torch.tensor([[x, y]], dtype=torch.float32), MIDDLE)


@settings(deadline=None)
@given(ANGLE, st.floats(0.2, 5.0), st.floats(-100, 250), st.floats(-100, 250))
def test_there_and_back_is_where_one_was(angle: float, scale: float, x: float, y: float) -> None:
    there = pose(angle, scale, x, y)
    xy = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor(WH)
    assert (there.to_image(there.to_rectified(xy)) - xy).abs().max() < 1e-3
    assert (there.to_rectified(there.to_image(xy)) - xy).abs().max() < 1e-3


@settings(deadline=None, max_examples=60)
@given(ANGLE, st.floats(0.7, 1.5), st.floats(-6, 6), st.floats(-6, 6), st.floats(-9, 9), st.floats(-9, 9))
def test_a_blob_lands_where_the_map_says(
    angle: float, scale: float, x: float, y: float, of_x: float, of_y: float
) -> None:
    """The centre of mass of a Gaussian blob, in an image that is wider than high."""
    there = pose(angle, scale, float(MIDDLE[0]) + x, float(MIDDLE[1]) + y)
    at = torch.tensor([[[35.5 + x + of_x, 27.5 + y + of_y]]])
    rows, columns = torch.meshgrid(torch.arange(WH[1]), torch.arange(WH[0]), indexing="ij")
    image = torch.exp(-((columns - at[..., 0, None]) ** 2 + (rows - at[..., 1, None]) ** 2) / (2 * 1.5**2))
    warped = warp(image.view(1, WH[1], WH[0], 1), there)[0, :, :, 0]
    found = torch.stack(((warped * columns).sum(), (warped * rows).sum())) / warped.sum()
    assert (found - there.to_rectified(at)[0, 0]).abs().max() < 0.05


@settings(deadline=None)
@given(ANGLE, st.floats(0.3, 3.0), st.floats(-60, 60), st.floats(-60, 60))
def test_the_pose_loss_is_zero_at_the_pose_that_made_the_keypoints(
    angle: float, scale: float, x: float, y: float
) -> None:
    mean = torch.tensor([[-20.0, -10.0], [25.0, -5.0], [0.0, 15.0]]) + MIDDLE
    truth = pose(angle, scale, x, y)
    xy = truth.to_image(mean[None])
    for weight in (
        torch.ones(1, 3),
        torch.tensor([[1.0, 0.3, 0.0]]),
        torch.tensor([[0.0, 1.0, 0.0]]),
        torch.zeros(1, 3),
    ):
        assert pose_loss(truth, mean, xy, weight) < 1e-2
    assert pose_loss(pose(angle, scale, x + 4.0, y), mean, xy, torch.ones(1, 3)).sub(1.0).abs() < 1e-2


def test_sigma_grows_and_turns_with_the_map() -> None:
    sigma = torch.tensor([[[1.0, 3.0]]])
    quarter = pose(np.pi / 2, 2.0, 0.0, 0.0).sigma_to_image(sigma)
    assert torch.allclose(quarter, torch.tensor([[[6.0, 2.0]]]), atol=1e-5)
