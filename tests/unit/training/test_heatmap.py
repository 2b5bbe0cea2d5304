import pytest
import torch

from training.networks.heatmap import STRIDE, heatmap_loss, peak_px


def peak_at(x: float, y: float, high: int = 8, wide: int = 10) -> torch.Tensor:
    """One map with a peak at a place given in px of the image."""
    cell_x, cell_y = (x + 0.5) / STRIDE - 0.5, (y + 0.5) / STRIDE - 0.5
    rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
    return torch.exp(-0.5 * ((columns - cell_x) ** 2 + (rows - cell_y) ** 2) / 1.5**2)[None, None]


def test_a_peak_is_found_to_a_quarter_of_a_cell() -> None:
    for x, y in ((9.5, 13.5), (10.5, 12.5), (20.0, 17.0), (33.3, 8.1)):
        assert peak_px(peak_at(x, y))[0, 0].tolist() == pytest.approx([x, y], abs=STRIDE / 4 + 1e-4)
    exact = peak_px(peak_at(10.5, 12.5))[0, 0]  # a quarter of a cell beside the middle of cell (2, 3), below and above
    assert exact.tolist() == pytest.approx([10.5, 12.5])


def test_a_peak_at_the_edge_stays_in_its_cell() -> None:
    assert peak_px(peak_at(-3.0, -3.0))[0, 0].tolist() == [1.5, 1.5]
    assert peak_px(peak_at(50.0, 40.0))[0, 0].tolist() == [37.5, 29.5]


def test_the_loss_is_zero_at_the_truth_and_one_for_empty_maps() -> None:
    target, weight = torch.tensor([[[14.0, 11.0]]]), torch.ones(1, 1)
    maps = peak_at(14.0, 11.0)
    assert float(heatmap_loss(maps, target, weight)) == pytest.approx(0.0, abs=1e-6)
    assert float(heatmap_loss(maps * 0, target, weight)) == pytest.approx(1.0)
    assert float(heatmap_loss(maps * 0, target, weight * 0)) == 0.0
    outside = torch.tensor([[[-9.0, 11.0]]])  # no cell could show it
    assert float(heatmap_loss(maps * 0, outside, weight)) == 0.0
