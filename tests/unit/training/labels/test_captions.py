import numpy as np
import pytest

from training.labels.captions import place

SIZE = (60, 13)


def overlap(corners: list[tuple[int, int]]) -> int:
    boxes = [(x, y, x + SIZE[0], y + SIZE[1]) for x, y in corners]
    return sum(
        max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
        for index, a in enumerate(boxes)
        for b in boxes[:index]
    )


@pytest.mark.parametrize("seed", range(5))
def test_names_of_points_that_lie_close_together_do_not_cover_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [(int(x), int(y)) for x, y in rng.normal((200, 140), 25, (12, 2))]
    corners = place(points, [SIZE] * 12, (400, 284))
    assert overlap([(x + 6, y - 6 - SIZE[1]) for x, y in points]) > 0  # as they would lie, all at the upper right
    assert overlap(corners) == 0
    assert all(0 <= x <= 400 - SIZE[0] and 0 <= y <= 284 - SIZE[1] for x, y in corners)


def test_a_name_alone_stands_beside_its_point_and_stays_in_the_picture() -> None:
    assert place([(50, 50)], [SIZE], (400, 284)) == [(56, 31)]
    ((x, y),) = place([(395, 2)], [SIZE], (400, 284))
    assert (x + SIZE[0] <= 395) or y > 2
    assert place([(5, 5)], [(500, 13)], (400, 284))[0][0] == 0  # wider than the picture: from its edge
