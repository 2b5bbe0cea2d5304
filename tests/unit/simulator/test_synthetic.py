"""The synthetic camera and the simulated line show the same parts."""

import numpy as np

from simulator.content import RenderedContent
from simulator.synthetic import frames


def test_it_shows_what_the_simulated_line_shows_for_the_same_seed() -> None:
    content = RenderedContent(seed=7, width=320, height=256)
    pictures = frames(320, 256, 7)
    assert all(np.array_equal(next(pictures), content.image(0, number)) for number in range(6))
