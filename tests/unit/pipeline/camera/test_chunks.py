"""Chunk values that no frame can carry."""

from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.camera.genicam.chunks import LARGEST, LONGEST_EXPOSURE_US, Chunks, exposure_us


@dataclass(frozen=True)
class Node:
    """A feature that has any value at all."""

    value: Any

    def read(self, *, fresh: bool = False) -> Any:  # noqa: ANN401, ARG002 - a node's value is of any type
        return self.value


class Buffer:
    """One whose chunks can be read."""

    def attach_chunks(self) -> bool:
        return True


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, LONGEST_EXPOSURE_US * 2, "1000", None])
def test_no_exposure(value: Any) -> None:  # noqa: ANN401 - cameras give anything
    assert exposure_us(value) is None


def test_an_exposure() -> None:
    assert exposure_us(1000) == 1000.0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (41, 41),
        (41.0, 41),
        (0, 0),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        (LARGEST, None),
        ("41", None),
    ],
)
def test_numbers(value: Any, number: int | None) -> None:  # noqa: ANN401 - cameras give anything
    node: Any = Node(value)
    buffer: Any = Buffer()
    assert Chunks(node).read(buffer) == (number, None)
