import numpy as np

from training.masks.folder import read_mask_folder
from training.masks.grouping import by_number, by_picture, regrouped, same_parts, united

from .conftest import WriteImage


def alike(groups: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(groups == group).tolist() for group in dict.fromkeys(groups.tolist())]


def test_numbers_that_follow_closely_are_one_part_whatever_the_folder_and_the_order() -> None:
    names = [
        "crack/exp1_num_3191.jpg",
        "free/exp6_num_3279.jpg",
        "crack/exp1_num_9000.jpg",
        "crack/exp2_num_3211.jpg",
        "x.jpg",
    ]
    assert alike(by_number(names, 70)) == [[0, 1, 3], [2], [4]]
    assert alike(by_number(names, 20)) == [[0, 3], [1], [2], [4]]


def test_the_same_picture_brighter_is_one_part_and_others_are_not(write_image: WriteImage) -> None:
    for index in range(6):
        root = write_image(f"crack/{index}", seed=index)
    write_image("crack/copy", seed=2, x=11)
    found = read_mask_folder(root)
    assert found.names[-1] == "crack/copy.png"
    assert alike(by_picture(found)) == [[0], [1], [2, 6], [3], [4], [5]]


def test_what_belongs_together_by_any_grouping_is_united() -> None:
    a, b = np.array([0, 1, 1, 2, 3, 4]), np.array([5, 5, 6, 6, 7, 8])
    assert alike(united(a, b)) == [[0, 1, 2, 3], [4], [5]]
    chain = [np.array([0, 0, 2, 3, 4]), np.array([0, 1, 1, 3, 4]), np.array([0, 1, 2, 2, 4]), np.array([0, 1, 2, 3, 3])]
    assert len(set(united(*reversed(chain)).tolist())) == 1


def test_groups_are_called_by_their_first_image(write_image: WriteImage) -> None:
    for index in range(3):
        root = write_image(f"crack/{index}", seed=index)
    found = regrouped(read_mask_folder(root), np.array([4, 2, 4]))
    assert found.groups == ("crack/0.png", "crack/1.png", "crack/0.png")


def test_same_parts_takes_names_and_pictures(write_image: WriteImage) -> None:
    for index, number in enumerate((100, 110, 500, 900, 1300, 1700)):
        root = write_image(f"crack/{number:04d}", seed=index)
    write_image("crack/2500", seed=3)
    found = read_mask_folder(root)
    assert len(set(same_parts(found).groups)) == 6
    assert alike(np.unique(same_parts(found, apart=20).groups, return_inverse=True)[1]) == [
        [0, 1],
        [2],
        [3, 6],
        [4],
        [5],
    ]
