"""Pictures for reports, as SVG: what is left over at each point of a board, and how a lens bends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.geometry import Points
from pipeline.lens_model import AffineLens, Array, Lens

_SHOWN_PX = 640.0  # width of a picture on the page
_ARROW = 1 / 25  # of the image's width is what the largest usual residual is drawn as
_STEPS = 13


def residual_svg(
    image_wh: tuple[int, int], places: Sequence[Points], residuals: Sequence[Points], names: Sequence[str]
) -> str:
    """Every residual as a line from its point, all lengthened alike; a view's points have its colour."""
    lengths = np.concatenate([np.linalg.norm(one, axis=1) for one in residuals])
    usual = float(np.percentile(lengths, 95)) if len(lengths) else 0.0
    scale = _ARROW * image_wh[0] / max(usual, 1e-9)
    lines = []
    for number, (points, missing, name) in enumerate(zip(places, residuals, names, strict=True)):
        colour = f"hsl({number * 137 % 360},70%,42%)"  # the golden angle: neighbours differ
        ends = points + missing * scale
        marks = "".join(
            f'<path d="M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="{image_wh[0] / 500:.1f}"/>'
            for (x, y), (u, v) in zip(points, ends, strict=True)
        )
        lines.append(f'<g stroke="{colour}" fill="{colour}"><title>{_escaped(name)}</title>{marks}</g>')
    length = _round_px(usual)
    ruler = (
        f'<path stroke="#000" d="M{image_wh[0] * 0.03:.1f} {image_wh[1] * 0.96:.1f}h{length * scale:.1f}"/>'
        f'<text x="{image_wh[0] * 0.03:.1f}" y="{image_wh[1] * 0.945:.1f}" font-size="{image_wh[0] / 45:.0f}">{length:g} px</text>'
    )
    return _svg(image_wh, "".join(lines) + ruler, image_wh[0] / 700)


def bend_svg(image_wh: tuple[int, int], lens: Lens) -> str:
    """A straight grid as the lens draws it, over where it would lie without distortion."""
    columns, rows = (np.linspace(0, size - 1, _STEPS) for size in image_wh)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    drawn = _bent(lens, grid.reshape(-1, 2)).reshape(grid.shape)
    paths = []
    for lines, colour in ((grid, "#bbb"), (drawn, "#b00")):
        for line in (*lines, *lines.transpose(1, 0, 2)):
            shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in line if np.isfinite((x, y)).all())
            paths.append(f'<polyline fill="none" stroke="{colour}" points="{shown}"/>')
    return _svg(image_wh, "".join(paths), image_wh[0] / 600)


def sigma_svg(image_wh: tuple[int, int], columns: Array, rows: Array, sigmas_mm: Array) -> str:
    """Standard deviations (R, C) of mapped points as numbers, where they were computed."""
    shown = []
    for y, line in zip(rows, sigmas_mm, strict=True):
        for x, sigma in zip(columns, line, strict=True):
            text = "—" if not np.isfinite(sigma) else f"{sigma * 1000:.2g}"
            place = f'x="{x:.0f}" y="{y:.0f}" font-size="{image_wh[0] / 40:.0f}"'
            shown.append(f'<text {place} text-anchor="middle" dominant-baseline="middle">{text}</text>')
    return _svg(image_wh, "".join(shown), 1.0)


def _bent(lens: Lens, undistorted_px: Points) -> Points:
    """Where points are drawn that a lens of the same focal length without distortion would draw here."""
    flat = lens.with_values(_straight(lens))
    if isinstance(lens, AffineLens):
        pose = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
        return lens.draw(pose, np.column_stack([undistorted_px, np.zeros(len(undistorted_px))])).xy_sensor_px
    pose = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    rays = flat.near_mm(pose, undistorted_px, 0.0)
    return lens.draw(pose, np.column_stack([rays, np.zeros(len(rays))])).xy_sensor_px


def _straight(lens: Lens) -> Array:
    keep = 0 if isinstance(lens, AffineLens) else 4
    return np.concatenate([lens.values[:keep], np.zeros(len(lens.values) - keep)])


def _round_px(value: float) -> float:
    """One, two or five of a power of ten, not above `value`."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value))


def _svg(image_wh: tuple[int, int], content: str, line: float) -> str:
    width, height = image_wh
    size = f'width="{_SHOWN_PX:.0f}" height="{_SHOWN_PX * height / width:.0f}" viewBox="-0.5 -0.5 {width} {height}"'
    frame = f'<rect x="-0.5" y="-0.5" width="{width}" height="{height}" fill="#fff" stroke="#888"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} stroke-width="{line:.2f}">{frame}{content}</svg>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
