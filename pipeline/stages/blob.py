"""Parts that stand out from what they lie on, found on a reduced image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.devices.device import AnyDevice, DeviceImage
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.pixels import whole_grey8
from pipeline.recipe_file import BlobSettings
from pipeline.stages.outline import Outline, cut_at_neck, outlines

Image = NDArray[np.uint8]

LEAST_STEP = 8  # grey levels between neighbouring cells, or between part and ground: less is no part but noise
SMOOTHING_CELLS = 1.0  # standard deviation; takes the grain of the ground out of the edges
LOWEST_LEVEL = 0.55  # of Otsu's threshold: here outlines are whole, but parts may run together
LEVEL_STEP = 1.25
LEVELS = 5
COMPACT = 0.7  # an outline that fills its rectangle and hull so far is one part
SEED_LEVEL = 1.5  # of Otsu's threshold: a part has an edge this strong somewhere


class BlobLocate:
    """Finds parts by their grey level or their edges. What a frame's cells average out is not seen."""

    def __init__(self, settings: BlobSettings, device: AnyDevice) -> None:
        """As a recipe sets it; frames are reduced on `device`."""
        self._settings, self._device = settings, device
        self._cells: DeviceImage = device.empty(0, 0)
        self._smallest, self._largest = (area / settings.cell_px**2 for area in settings.area_px)

    def __call__(self, frame: Frame) -> list[Region]:
        """Regions of the parts in sensor px, widened by the recipe's margin; they may reach out of the sensor."""
        cells = self._reduced(whole_grey8(frame))
        if cells.size == 0:
            return []  # a frame smaller than a cell
        found = self._by_edges(cells) if self._settings.mode == "edges" else self._by_grey(cells)
        return [self._region(outline) for outline in found if outline.area <= self._largest]

    def _reduced(self, grey: Image) -> Image:
        cell = self._settings.cell_px
        height, width = grey.shape[0] // cell, grey.shape[1] // cell
        if self._cells.shape != (height, width):
            self._cells = self._device.empty(height, width)
        if height and width:
            self._device.resize(self._device.upload(grey[: height * cell, : width * cell]), self._cells)
        cells: Image = self._device.download(self._cells)
        return cells

    def _by_grey(self, cells: Image) -> list[Outline]:
        level = self._settings.threshold
        if level is None:
            level = cv2.threshold(cells, 0, 255, cv2.THRESH_OTSU)[0]
        bright = cells > level
        if bright.all() or not bright.any() or cells[bright].mean() - cells[~bright].mean() < LEAST_STEP:
            return []
        found = outlines(~bright if self._settings.dark_on_light else bright, self._smallest)
        if not self._settings.touching:
            return found
        return [piece for outline in found for piece in self._separated(outline, None, [])[1]]

    def _by_edges(self, cells: Image) -> list[Outline]:
        smooth = cv2.GaussianBlur(cells.astype(np.float32), (0, 0), SMOOTHING_CELLS)
        across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        steps = cv2.magnitude(across, down) / 4.0  # grey levels from cell to cell
        strongest = float(steps.max())
        if strongest < LEAST_STEP:
            return []
        scaled = np.clip(steps * (255.0 / strongest), 0, 255).astype(np.uint8)
        otsu = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)[0]
        levels = [otsu * LOWEST_LEVEL * LEVEL_STEP**number for number in range(LEVELS)]
        seeds = scaled > SEED_LEVEL * otsu
        found = [one for one in outlines(scaled > levels[0], self._smallest) if one.meets(seeds)]
        if self._settings.touching:
            found = [piece for one in found for piece in self._separated(one, scaled, levels[1:])[1]]
        return [one for one in found if one.meets(seeds)]

    def _separated(self, whole: Outline, scaled: Image | None, levels: list[float]) -> tuple[float, list[Outline]]:
        """An outline, or the pieces that look more like parts: its share that lies in compact pieces, and those.

        The choice between the nodes of a component tree (Jones 1999): parts that run together at one level of edge
        strength come apart at the next, or where the outline is narrow; a part that comes apart keeps less of its area.
        """
        best = (whole.compactness if whole.area <= self._largest else 0.0, [whole])
        if best[0] >= COMPACT:
            return best
        if scaled is not None and levels:
            apart = outlines(whole.within(scaled > levels[0]), self._smallest, whole.corner)
            tried = [self._separated(one, scaled, levels[1:]) for one in apart]
            share = sum(value * one.area for (value, _), one in zip(tried, apart, strict=True)) / whole.area
            best = max(best, (share, [piece for _, pieces in tried for piece in pieces]), key=lambda choice: choice[0])
        pieces = cut_at_neck(whole, self._smallest)
        share = sum(piece.compactness * piece.area for piece in pieces) / whole.area
        return max(best, (share, pieces), key=lambda choice: choice[0])

    def _region(self, outline: Outline) -> Region:
        cell = self._settings.cell_px
        height, width = outline.mask.shape
        margin = self._settings.margin * max(width, height) * cell
        x, y = outline.corner
        return Region(x * cell - margin, y * cell - margin, width * cell + 2 * margin, height * cell + 2 * margin)
