"""The sets of photographs: how each is trained, where its parts are looked for, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import training
from pipeline.errors import DataError
from training.data import Dataset
from training.labels.coco import read_coco

ANNOTATED, LOCATED = "annotated", "located"
_METHODS = Path(training.__file__).parent / "methods"


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """One set.

    Attributes:
        regions: how parts are found when the networks are judged: ANNOTATED takes the boxes of the labels, grown by the
            method's margin, so that only the networks are judged; LOCATED runs the method's own locate stage.
        source: repository and folder that the photographs come from.
        licence: of them.
    """

    name: str
    regions: tuple[str, ...]
    source: str
    licence: str

    @property
    def method(self) -> Path:
        """The method file."""
        return _METHODS / f"{self.name}.toml"

    def files(self, data: Path) -> tuple[Path, Path]:
        """Annotations and images below ``data``, which is the set's folder or the one that it lies in.

        Raises:
            DataError: there are none; says where they come from.
        """
        for folder in (data, data / self.name):
            if (folder / "annotations.json").is_file() and (folder / "images").is_dir():
                return folder / "annotations.json", folder / "images"
        raise DataError(
            f"there is no {self.name}: the photographs are not in this repository",
            where=f"--data {data}",
            allowed="a folder with annotations.json (COCO keypoints) and images/",
            next_command=f"take them from {self.source} ({self.licence}), labels as COCO keypoints",
        )

    def read(self, data: Path) -> Dataset:
        """The set. Raises DataError as `files` and `read_coco` do."""
        return read_coco(*self.files(data))


SETS = {
    one.name: one
    for one in (
        PhotoSet(
            "tubes",
            (ANNOTATED, LOCATED),
            "github.com/alexppppp/keypoint_rcnn_training_pytorch",
            "MIT",
        ),
        PhotoSet(
            "openfield",
            (ANNOTATED,),
            "github.com/DeepLabCut/DeepLabCut, examples/openfield-Pranav-2018-10-30/labeled-data/m4s1",
            "LGPL-3.0",
        ),
        PhotoSet(
            "setsquare",
            (ANNOTATED,),
            "github.com/1996JCZhou/Key-Points-Detection",
            "no licence file: look at them for yourself, give nothing on",
        ),
    )
}
