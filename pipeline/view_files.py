"""The files of a view in its recipe: networks, shape model and calibrations."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import segment_thresholds, shape, sigma, thresholds
from pipeline.errors import RecipeError
from pipeline.segment_thresholds import SegmentThresholds, read_segment_thresholds
from pipeline.shape import ShapeModel
from pipeline.sigma import SigmaScale
from pipeline.thresholds import Thresholds

TRAIN_SEGMENT = "datumd train --method prompted_sam --sam DIR --masks DIR --out RECIPE --view NAME"


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """The two networks that find defects, and what counts as one, from `segment.toml`."""

    encoder: Path
    decoder: Path
    thresholds: SegmentThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFiles:
    """What lies in a view's folder; None for what this view does without.

    Attributes:
        coarse, posed, refine: ONNX files, of the cards with these names.
        shape: where its keypoints lie to one another, from `shape.json`.
        thresholds: from `visibility.toml`, the defaults without.
        sigma: from `sigma.toml`.
        segment: from `segment_encoder.onnx`, `segment_decoder.onnx` and `segment.toml`.
    """

    coarse: Path
    posed: Path | None
    refine: Path | None
    shape: ShapeModel | None
    thresholds: Thresholds
    sigma: SigmaScale | None
    segment: SegmentFiles | None = None

    @property
    def networks(self) -> tuple[Path | None, Path | None, Path | None]:
        """Those that find keypoints: coarse, posed, refine."""
        return self.coarse, self.posed, self.refine

    def is_of_defects(self, network: Path) -> bool:
        """Whether this is one of the two that find defects."""
        return self.segment is not None and network in (self.segment.encoder, self.segment.decoder)


def read_view_files(folder: Path, keypoints: Sequence[str]) -> ViewFiles:
    """Find the networks in a view's folder and read the rest.

    Raises:
        RecipeError: there is no coarse network or one of the two that find defects without the other, or a file is faulty
            or of other keypoints than `keypoints`.
    """
    return ViewFiles(
        coarse=_coarse(folder / "coarse.onnx"),
        posed=_network(folder / "posed.onnx"),
        refine=_network(folder / "refine.onnx"),
        shape=shape.read_shape(folder / shape.FILE_NAME, keypoints),
        thresholds=thresholds.read_thresholds(folder / thresholds.FILE_NAME, keypoints),
        sigma=sigma.read_sigma(folder / sigma.FILE_NAME, keypoints),
        segment=_segment(folder),
    )


def _segment(folder: Path) -> SegmentFiles | None:
    encoder, decoder = (_network(folder / f"segment_{part}.onnx") for part in ("encoder", "decoder"))
    if encoder is None and decoder is None:
        return None
    if encoder is None or decoder is None:
        there, missing = ("encoder", "decoder") if decoder is None else ("decoder", "encoder")
        raise RecipeError(
            f"there is segment_{there}.onnx without its {missing}",
            where=str(folder / f"segment_{missing}.onnx"),
            next_command=TRAIN_SEGMENT,
        )
    return SegmentFiles(encoder, decoder, read_segment_thresholds(folder / segment_thresholds.FILE_NAME))


def _coarse(path: Path) -> Path:
    if not path.is_file():
        raise RecipeError(
            "there is no coarse network for this view",
            where=str(path),
            next_command="datumd train METHOD.toml --coco FILE --images DIR --out RECIPE",
        )
    return path


def _network(path: Path) -> Path | None:
    if not os.path.lexists(path):
        return None
    if not path.is_file():
        raise RecipeError("is no plain file", where=str(path), allowed="a network, or none")
    return path
