"""What a calibration found, as one page of HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from calibration.coverage import coverage
from calibration.lens import LensFit
from calibration.plane import PlaneFit
from calibration.residual_map import bend_svg, residual_svg, sigma_svg
from pipeline.calibration_file import Calibration
from pipeline.plane_map import PlaneMap

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .9em .15em 0;text-align:left;"
    "border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}.bad{color:#b00}svg{max-width:100%;height:auto}"
)


def lens_page(fit: LensFit, told: Calibration) -> str:
    """The page of a lens."""
    views = fit.bundle.views
    seen = coverage(views, fit.model)
    parameters = [
        (name, _number(value, sigma), f"{sigma:.2g}")
        for name, value, sigma in zip(fit.lens.names, fit.lens.values, fit.sigmas, strict=True)
    ]
    kept = [(name, f"{px:.3f}", "") for name, px in fit.view_residuals_px.items()]
    out = [(one.name, "", f'<span class="bad">left out: {html.escape(one.why)}</span>') for one in fit.left_out]
    missing = seen.missing()
    body = [
        f"<p>{len(views)} views, {told.lens.points} points, {fit.residual_px:.3f} px root mean square; "
        f"{fit.points_left_out} points left out as far off. Points in {seen.share:.0%} of the picture.</p>",
        f'<p class="bad">Still missing: {html.escape("; ".join(missing))}.</p>' if missing else "",
        "<h2>Parameters</h2>",
        _table(("", "value", "standard deviation"), parameters),
        "<h2>What is left over</h2><p>Each line leads from where a point was found by how much it lies off, lengthened. "
        "Lines that point the same way in one place are a lens that the model does not describe, or a bent board; "
        "lines without order are noise.</p>",
        residual_svg(fit.image_wh, [v.xy_sensor_px for v in views], fit.bundle.residuals_px(), [v.name for v in views]),
        "<h2>Distortion</h2><p>A straight grid (grey) as the lens draws it (red).</p>",
        bend_svg(fit.image_wh, fit.lens),
        "<h2>Views</h2>",
        _table(("picture", "off, px", ""), [*kept, *out], escaped=False),
    ]
    return _page(f"Lens of camera {told.camera}", told, body)


def plane_page(fit: PlaneFit, told: Calibration, plane: PlaneMap) -> str:
    """The page of a plane."""
    width, height = told.image_wh
    columns, rows = np.linspace(0.06, 0.94, 9) * width, np.linspace(0.07, 0.93, 7) * height
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    jacobian = plane.jacobian(grid)
    scale = np.sqrt(np.abs(np.linalg.det(np.nan_to_num(jacobian))))
    middle = np.array([[(width - 1) / 2, (height - 1) / 2]])
    sigmas = np.sqrt(np.array([_of_offset(plane, point, middle) for point in grid])).reshape(len(rows), len(columns))
    same = "The lens is as it was calibrated."
    if not fit.is_same_lens:
        how = f"{fit.moved:.0f} in squared standard deviations, where {len(fit.lens.values)} are usual"
        same = f'<span class="bad">The lens does not seem to be as it was calibrated ({how}): was it touched?</span>'
    body = [
        f"<p>{len(fit.view.points_mm)} points of {html.escape(told.plane.board if told.plane else '')}, "
        f"{fit.residual_px:.3f} px root mean square, {fit.points_left_out} left out. {same}</p>",
        f"<p>A pixel is {scale.min():.5g} to {scale.max():.5g} mm wide.</p>",
        "<h2>How sure distances are</h2><p>Standard deviation in µm, by the calibration alone, of the distance from the middle "
        "of the picture to each place.</p>",
        sigma_svg(told.image_wh, columns, rows, sigmas),
        "<h2>What is left over</h2>",
        residual_svg(told.image_wh, [fit.view.xy_sensor_px], [fit.residuals_px], [fit.view.name]),
    ]
    return _page(f"Plane of camera {told.camera}", told, body)


def _of_offset(plane: PlaneMap, point: np.ndarray, middle: np.ndarray) -> float:
    """Variance of the distance between two places, mm²."""
    both = np.vstack([middle, point])
    start, end = plane.to_mm(both)
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-12)
    by_ends = np.concatenate([-along, along])
    return float(by_ends @ plane.covariance_mm2(both) @ by_ends)


def _page(title: str, told: Calibration, body: Sequence[str]) -> str:
    facts = [
        ("camera", told.camera),
        ("pictures", f"{told.image_wh[0]} x {told.image_wh[1]} px {told.readout}"),
        ("lens", f"{told.lens.model}, {told.made}, {told.lens.board}"),
    ]
    if told.plane is not None:
        facts.append(("plane", f"{told.plane.made}, {told.plane.board}, lengths to {told.plane.board_length_sigma:g}"))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{html.escape(title)}</h1>{_table(('', ''), facts)}{''.join(body)}</html>\n"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, escaped: bool = True) -> str:
    def cell(text: str) -> str:
        return html.escape(text) if escaped else text

    head = f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>" if any(heads) else ""
    return f"<table>{head}{''.join('<tr>' + ''.join(f'<td>{cell(c)}</td>' for c in row) + '</tr>' for row in rows)}</table>"


def _number(value: float, sigma: float) -> str:
    """With two digits of what its sigma lets be known."""
    if not sigma > 0.0:
        return f"{value:.6g}"
    return f"{value:.{max(0, min(12, 1 - int(np.floor(np.log10(sigma)))))}f}"
