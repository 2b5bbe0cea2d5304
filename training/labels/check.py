"""What is known of a set's labels without a network: counts, near-duplicates, noise and what looks wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import HIDDEN, MISSING, VISIBLE, Dataset
from training.label_noise import LEAST_KEYPOINTS, LEAST_PARTS, ShapeNoise, from_pairs, from_shape
from training.labels.sheet import MOST, Tile, write_sheet
from training.labels.suspicion import Suspicion, suspicions
from training.near_duplicates import NearDuplicates, find

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Check:
    """Everything that was found; ``repeat_px`` (K,) is the noise that near-duplicates show."""

    dataset: Dataset
    duplicates: NearDuplicates
    shape: ShapeNoise | None
    repeat_px: NDArray[np.float64]
    suspicions: list[Suspicion]

    def lines(self) -> list[str]:
        """The report as lines of text."""
        data = self.dataset
        head = f"{data.name}: {len(data.parts)} parts in {len(data.images)} images, {len(data.keypoints)} keypoints"
        return [head, "", *self._table(), "", *self._duplicate_lines(), "", *self._suspicion_lines()]

    def draw(self, folder: Path) -> dict[str, str]:
        """Write the contact sheets into a folder that exists; what was written, and what it shows."""
        parts = self.dataset.parts
        spread = np.unique(np.linspace(0, len(parts) - 1, min(len(parts), MOST)).round().astype(int))
        tiles = [Tile(parts[i], f"{parts[i].image.name}  {parts[i].annotation}") for i in spread]
        write_sheet(folder / "labels.png", tiles, self.dataset.keypoints)
        written = {"labels.png": f"{len(tiles)} parts; green visible, orange hidden, grey missing"}
        if self.suspicions:
            suspects = self._suspect_tiles()
            write_sheet(folder / "suspicious.png", suspects, self.dataset.keypoints)
            written["suspicious.png"] = f"the {min(len(suspects), MOST)} most suspicious parts, ringed in red"
        return written

    def _table(self) -> Iterator[str]:
        states = np.stack([part.state for part in self.dataset.parts])
        yield f"{'keypoint':24}{'visible':>9}{'hidden':>9}{'missing':>9}{'shape, px':>12}{'repeat, px':>12}"
        for k, name in enumerate(self.dataset.keypoints):
            counts = "".join(f"{int((states[:, k] == state).sum()):9d}" for state in (VISIBLE, HIDDEN, MISSING))
            bound = self.shape.sigma_px[k] if self.shape is not None else np.nan
            yield f"{name[:23]:24}{counts}{_px(bound)}{_px(self.repeat_px[k])}"
        yield "noise of the labels, standard deviation per axis: shape is from where a part's other labels put each one, an"
        yield "upper bound that holds for rigid parts seen from straight above; repeat is from near-duplicates, labelled twice"
        if self.shape is None:
            enough = int(((states == VISIBLE).sum(axis=1) >= LEAST_KEYPOINTS).sum())
            yield (
                "shape: not looked at, and no label was compared with the part's others; it takes "
                f"{LEAST_PARTS} parts on which {LEAST_KEYPOINTS} keypoints are visible, here are {enough}"
            )
        elif self.shape.is_pieced:
            yield (
                f"shape: fewer than {LEAST_PARTS} parts show all keypoints; it was pieced together from those that show "
                f"{LEAST_KEYPOINTS} or more, as if all were alike: parts that differ in shape look noisier"
            )

    def _duplicate_lines(self) -> Iterator[str]:
        groups = self.duplicates.groups
        sizes = np.bincount(groups)
        several = np.flatnonzero(sizes > 1)
        yield (
            f"near-duplicates: {len(several)} groups of {int(sizes[several].sum())} images, kept together when the set is divided"
        )
        for group in several[:_MOST_LINES]:
            names = [self.dataset.images[index].name for index in np.flatnonzero(groups == group)]
            yield "  " + " ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        if len(several) > _MOST_LINES:
            yield f"  and {len(several) - _MOST_LINES} more"

    def _suspicion_lines(self) -> Iterator[str]:
        yield f"suspicious labels: {len(self.suspicions)}"
        for suspicion in self.suspicions[:_MOST_LINES]:
            part = self.dataset.parts[suspicion.part]
            keypoint = "" if suspicion.keypoint is None else f"{self.dataset.keypoints[suspicion.keypoint]} "
            yield f"  {part.image.name}, annotation {part.annotation}: {keypoint}{suspicion.text}"
        if len(self.suspicions) > _MOST_LINES:
            yield f"  and {len(self.suspicions) - _MOST_LINES} more"

    def _suspect_tiles(self) -> list[Tile]:
        by_part: dict[int, list[Suspicion]] = {}
        for suspicion in self.suspicions:
            by_part.setdefault(suspicion.part, []).append(suspicion)
        tiles = []
        for index, found in list(by_part.items())[:MOST]:
            part = self.dataset.parts[index]
            ringed = tuple(one.keypoint for one in found if one.keypoint is not None)
            tiles.append(Tile(part, f"{part.image.name} {part.annotation}: {found[0].text}", ringed))
        return tiles


def check(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> Check:
    """Look at every image and every label. Raises DataError for an image that cannot be decoded."""
    duplicates = find(dataset, progress)
    shape = from_shape(dataset)
    repeat = from_pairs(dataset, duplicates.pairs)
    return Check(dataset, duplicates, shape, repeat, suspicions(dataset, shape, duplicates))


def _px(value: float) -> str:
    return f"{'-' if not np.isfinite(value) else f'{value:.2f}':>12}"
