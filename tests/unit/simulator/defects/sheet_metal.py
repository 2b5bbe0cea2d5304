"""A plain sheet of metal that fills a small picture: what defects are tried on without a whole part."""

from dataclasses import replace

import numpy as np

from simulator.defects.workpiece import Workpiece
from simulator.families import blueprint
from simulator.scene import Occlusion, sample_scene

SIDE = 240
GREY = 150.0


def sheet_metal(*, light: tuple[float, float] = (1.0, 0.0), blur_px: float = 0.0, noise: float = 2.0) -> Workpiece:
    """The whole picture is level metal of 150 grey levels at full contrast; the lamp stands at `light`."""
    scene = sample_scene(blueprint("bracket"), np.random.default_rng(0), Occlusion.NONE, width=SIDE, height=SIDE)
    scene = replace(scene, light=light, contrast=1.0, blur_px=blur_px, noise_levels=noise, metal_grey=GREY)
    plain = np.ones((SIDE, SIDE), np.float32)
    return Workpiece(
        box=(0, 0, SIDE, SIDE),
        picture=np.full((SIDE, SIDE), round(GREY), np.uint8),
        metal=GREY * plain,
        steepness=0.0 * plain,
        solid=plain.copy(),
        seen=plain.copy(),
        light=plain,
        scene=scene,
    )
