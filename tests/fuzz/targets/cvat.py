"""CVAT's XML, as `datumd labels import` reads it."""

from collections.abc import Hashable

from pipeline.errors import DataError
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_xml
from tests.fuzz.target import Target, refused
from tests.fuzz.targets.labels import checked, images
from training.labels.cvat import read_cvat
from training.labels.cvat_writer import cvat_bytes


def execute(data: bytes) -> Hashable:
    """Read it; what is read can be written, and is read the same."""
    folder = workspace.folder("cvat")
    path = folder / "annotations.xml"
    path.write_bytes(data)
    images(folder)
    try:
        found = read_cvat(path, folder)
    except DataError as error:
        return refused(error)
    checked(found.dataset, folder)
    try:
        path.write_bytes(cvat_bytes(found.dataset, folder))
    except DataError as error:
        return refused(error)
    again = read_cvat(path, folder).dataset
    assert (again.name, again.keypoints) == (found.dataset.name, found.dataset.keypoints)
    assert [part.state.tolist() for part in again.parts] == [part.state.tolist() for part in found.dataset.parts]
    return len(again.parts), len(again.keypoints), len(found.notes)


TARGET = Target("cvat", execute, vary_xml)
