"""Ways to find marked points again: the keypoint language model, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.teach.cases import SIDE
from training.networks.position_prompt import peak, sampled
from training.teach.proposal import Image
from training.teach.teacher import Teacher
from training.teach.views import View

Points = NDArray[np.float64]
_PATCH = 0.25  # side of the support's patch, in sides of the image


def copied(_: Image, xy_px: Points, __: Image) -> Points:
    """Where it was in the support image."""
    return xy_px


def patch_correlated(support: Image, xy_px: Points, image: Image) -> Points:
    """Highest normalised cross-correlation of a patch around each point, neither turned nor scaled."""
    half = round(_PATCH * SIDE / 2)
    padded = cv2.copyMakeBorder(support, half, half, half, half, cv2.BORDER_REPLICATE)
    target = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REPLICATE)
    found = []
    for x, y in np.rint(xy_px).astype(int):
        patch = padded[y : y + 2 * half + 1, x : x + 2 * half + 1]
        score = cv2.matchTemplate(target, patch, cv2.TM_CCOEFF_NORMED)
        found.append(cv2.minMaxLoc(score)[3])
    return np.asarray(found, np.float64)


@dataclass(frozen=True)
class NearestFeature:
    """The cell of the fine map that is most like the support's feature, by its cosine; same encoder, nothing else."""

    teacher: Teacher

    @torch.no_grad()
    def __call__(self, support: Image, xy_px: Points, image: Image) -> Points:
        """Points (K, 2) in the image."""
        network = self.teacher.network
        maps = network.see(torch.from_numpy(np.stack((support, image))))
        feature = sampled(maps.fine[:1], torch.from_numpy(xy_px).float()[None], SIDE)[0]
        like = functional.normalize(feature, dim=1) @ functional.normalize(maps.fine[1].flatten(1), dim=0)
        return np.asarray(network.head.centres_px[like.argmax(1)].numpy(), np.float64)


@dataclass(frozen=True)
class Correlated:
    """The correlation of the reference-keypoint feature alone: what the language model is told."""

    teacher: Teacher

    @torch.no_grad()
    def __call__(self, support: Image, xy_px: Points, image: Image) -> Points:
        """Points (K, 2) in the image."""
        network = self.teacher.network
        maps = network.see(torch.from_numpy(np.stack((support, image))))
        one = torch.zeros(len(xy_px), dtype=torch.long)
        reference = network.referred(maps.chosen(one[:1]), torch.from_numpy(xy_px).float()[None])[0]
        logits = network.correlated(reference, maps.chosen(one + 1))
        return np.asarray(peak(logits, network.head.centres_px, network.head.cells)[0].xy_px.double().numpy())


@dataclass(frozen=True)
class Unaided:
    """The same network without the language model: the head on the reference feature, trained beside it."""

    teacher: Teacher

    @torch.no_grad()
    def __call__(self, support: Image, xy_px: Points, image: Image) -> Points:
        """Points (K, 2) in the image."""
        network = self.teacher.network
        maps = network.see(torch.from_numpy(np.stack((support, image))))
        one = torch.zeros(len(xy_px), dtype=torch.long)
        reference = network.referred(maps.chosen(one[:1]), torch.from_numpy(xy_px).float()[None])[0]
        return np.asarray(network.unaided(maps.chosen(one + 1), reference)[0].xy_px.double().numpy())


def marked(view: View) -> NDArray[np.int64]:
    """Indices of the points of a support image that a person could mark."""
    return np.flatnonzero(view.state == 2)
