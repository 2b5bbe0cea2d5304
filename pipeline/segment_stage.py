"""From the files of a view to its stage that looks for defects: what the inspector runs, and training measures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from engines.engine import device_of
from pipeline.errors import NetworkError
from pipeline.network import Network
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.stages.segment import Segment
from pipeline.view_files import TRAIN_SEGMENT, SegmentFiles

_Card = TypeVar("_Card", SegmentEncoderCard, SegmentDecoderCard)


class Loader(Protocol):
    """Loads one of the two networks for its place."""

    def __call__(self, path: Path, role: type[_Card]) -> Network[_Card]:
        """The network in an ONNX file. Raises NetworkError, EngineError or RecipeError where it cannot be used."""


def load_segment(files: SegmentFiles, load: Loader) -> Segment:
    """Load both networks and run each once.

    Raises:
        NetworkError: they do not belong together, or one does not fit its place, or fails.
        DatumdError: what `load` raises.
    """
    encoder, decoder = load(files.encoder, SegmentEncoderCard), load(files.decoder, SegmentDecoderCard)
    if other := decoder.card.disagreement(encoder.card):
        raise NetworkError(
            f"was made for another encoder: {other}",
            where=str(decoder.path),
            allowed=f"what {encoder.path.name} has",
            next_command=TRAIN_SEGMENT,
        )
    encoder.warm_up(1)
    decoder.warm_up(1)
    return Segment(encoder, decoder, device_of([encoder.engine]))


def check_told_by(keypoints: Sequence[str], names: Sequence[str], decoder: Path) -> None:
    """Raise NetworkError where a decoder is told where it looks by keypoints that are not among the names of its view's."""
    if strange := [name for name in keypoints if name not in names]:
        raise NetworkError(
            f"is told where it looks by the keypoints {', '.join(keypoints)}; there is no {strange[0]}",
            where=str(decoder),
            allowed=f"some of {', '.join(names)}, the keypoints of its view: training leaves out what a recipe does not have",
            next_command="datumd train --method prompted_sam_tiles --sam DIR --coco FILE --images DIR --out RECIPE --view NAME",
        )
