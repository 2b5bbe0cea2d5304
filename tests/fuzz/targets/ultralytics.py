"""Pose labels of Ultralytics: data.yaml, a line of `---`, the labels of one image."""

from collections.abc import Hashable

from pipeline.errors import DataError
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_lines
from tests.fuzz.target import Target, refused
from tests.fuzz.targets.labels import checked, images
from training.labels.ultralytics import read_ultralytics
from training.labels.ultralytics_writer import ultralytics_files

_BETWEEN = b"\n---\n"


def execute(data: bytes) -> Hashable:
    """Read both; what is read can be written, and is read the same."""
    folder = workspace.folder("ultralytics")
    for name in ("images", "labels"):
        (folder / name).mkdir(exist_ok=True)
    images(folder / "images")
    settings, _, labels = data.partition(_BETWEEN)
    (folder / "data.yaml").write_bytes(settings)
    (folder / "labels/000.txt").write_bytes(labels)
    try:
        found = read_ultralytics(folder, folder / "images")
    except DataError as error:
        return refused(error)
    checked(found.dataset, folder)
    try:
        written = ultralytics_files(found.dataset, folder / "images")
    except DataError as error:
        return refused(error)
    for name, text in written.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    again = read_ultralytics(folder, folder / "images").dataset
    assert (again.name, again.keypoints) == (found.dataset.name, found.dataset.keypoints)
    assert len(again.parts) == len(found.dataset.parts)
    return len(again.parts), len(again.keypoints), len(found.notes), len(written.notes)


TARGET = Target("ultralytics", execute, vary_lines)
