from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError
from training.data import HIDDEN, MISSING, VISIBLE
from training.labels.cvat import read_cvat
from training.labels.cvat_writer import cvat_bytes

META = """<meta><task><labels>
<label><name>clip</name><type>skeleton</type><svg>&lt;circle/&gt;</svg></label>
<label><name>tip</name><type>points</type><parent>clip</parent></label>
<label><name>heel</name><type>points</type><parent>clip</parent></label>
<label><name>hole</name><type>points</type><parent>clip</parent></label>
</labels></task></meta>"""
SKELETON = """<skeleton label="clip" source="manual" z_order="0" {group}>
<points label="hole" source="manual" outside="1" occluded="0" points="0.00,0.00"></points>
<points label="tip" source="manual" outside="0" occluded="0" points="20.50,8.00"></points>
<points label="heel" source="manual" outside="0" occluded="1" points="4.00,9.25"></points>
</skeleton>"""
IMAGE = '<image id="0" name="a.png" width="64" height="48">{}</image>'


# As CVAT 2 dumps a task: dump_as_cvat_annotation in cvat/apps/dataset_manager/formats/cvat.py, labels by _convert_db_labels.
GENUINE = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>clips</name>
      <size>2</size>
      <mode>annotation</mode>
      <overlap>0</overlap>
      <bugtracker></bugtracker>
      <created>2025-03-04 09:12:41.223000+00:00</created>
      <subset>Train</subset>
      <start_frame>0</start_frame>
      <stop_frame>1</stop_frame>
      <frame_filter></frame_filter>
      <segments>
        <segment>
          <id>9</id>
          <start>0</start>
          <stop>1</stop>
          <url>http://localhost:8080/api/jobs/9</url>
        </segment>
      </segments>
      <owner>
        <username>ada</username>
        <email></email>
      </owner>
      <assignee></assignee>
      <labels>
        <label>
          <name>scratch</name>
          <color>#ff355e</color>
          <type>polygon</type>
          <attributes>
          </attributes>
        </label>
        <label>
          <name>clip</name>
          <color>#33ddff</color>
          <type>skeleton</type>
          <attributes>
          </attributes>
          <svg>&lt;line x1="20" y1="8" data-type="edge" data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;</svg>
        </label>
        <label>
          <name>tip</name>
          <color>#d53957</color>
          <type>points</type>
          <attributes>
            <attribute>
              <name>worn</name>
              <mutable>False</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
          <parent>clip</parent>
        </label>
        <label>
          <name>heel</name>
          <color>#478144</color>
          <type>points</type>
          <attributes>
          </attributes>
          <parent>clip</parent>
        </label>
        <label>
          <name>hole</name>
          <color>#4925ec</color>
          <type>points</type>
          <attributes>
          </attributes>
          <parent>clip</parent>
        </label>
      </labels>
    </task>
    <dumped>2025-03-04 10:01:13.901000+00:00</dumped>
  </meta>
  <image id="0" name="a.png" width="64" height="48">
    <polygon label="scratch" source="manual" occluded="0" points="1.00,1.00;9.00,1.00;9.00,9.00" z_order="0">
    </polygon>
    <skeleton label="clip" source="manual" z_order="0">
      <points label="heel" source="manual" outside="0" occluded="1" points="4.00,9.25">
      </points>
      <points label="tip" source="manual" outside="0" occluded="0" points="20.50,8.00">
        <attribute name="worn">false</attribute>
      </points>
      <points label="hole" source="manual" outside="1" occluded="0" points="12.00,30.50">
      </points>
    </skeleton>
    <tag label="scratch" source="manual">
    </tag>
  </image>
  <image id="1" name="b.png" width="64" height="48">
  </image>
</annotations>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 64), np.uint8))
    return tmp_path


def write(folder: Path, images: str, meta: str = META, head: str = '<?xml version="1.0" encoding="utf-8"?>') -> Path:
    path = folder / "annotations.xml"
    path.write_text(f"{head}\n<annotations><version>1.1</version>{meta}{images}</annotations>")
    return path


def test_the_order_is_that_of_the_label_and_not_of_the_points(folder: Path) -> None:
    found = read_cvat(
        write(folder, IMAGE.format(SKELETON.format(group="")) + IMAGE.replace("a.png", "b.png").format("")), folder
    )
    assert found.dataset.name == "clip"
    assert found.dataset.keypoints == ("tip", "heel", "hole")
    part = found.dataset.parts[0]
    assert part.state.tolist() == [VISIBLE, HIDDEN, MISSING]
    assert part.xy_sensor_px[:2].tolist() == [[20.0, 7.5], [3.5, 8.75]]
    assert np.isnan(part.xy_sensor_px[2]).all()
    assert part.box == pytest.approx((2.35, 6.35, 19.8, 4.55))
    assert found.notes == ("1 images have no skeleton and are left out",)


def test_a_file_as_cvat_dumps_it_is_read(folder: Path) -> None:
    (folder / "annotations.xml").write_text(GENUINE)
    found = read_cvat(folder / "annotations.xml", folder)
    assert (found.dataset.name, found.dataset.keypoints) == ("clip", ("tip", "heel", "hole"))
    (part,) = found.dataset.parts
    assert part.image == folder / "a.png"
    assert part.state.tolist() == [VISIBLE, HIDDEN, MISSING]
    assert part.xy_sensor_px.tolist() == [[20.0, 7.5], [3.5, 8.75], [11.5, 30.0]]


def test_what_is_written_has_the_elements_and_attributes_that_cvat_dumps(folder: Path) -> None:
    (folder / "annotations.xml").write_text(GENUINE)
    dataset = read_cvat(folder / "annotations.xml", folder).dataset
    written_by_us = cvat_bytes(dataset, folder)
    genuine, ours = (ElementTree.fromstring(text) for text in (GENUINE, written_by_us))  # noqa: S314 - no stranger's
    assert [element.tag for element in ours] == ["version", "meta", "image"]
    assert ours.findtext("version") == genuine.findtext("version") == "1.1"
    for path in ("image", "image/skeleton", "image/skeleton/points"):
        theirs = genuine.find(path)
        written = ours.find(path)
        assert theirs is not None
        assert written is not None
        assert set(written.attrib) - {"group_id"} == set(theirs.attrib)  # group_id where there is a group
    box = ours.find("image/box")
    assert box is not None
    assert set(box.attrib) == {"label", "source", "occluded", "xtl", "ytl", "xbr", "ybr", "z_order", "group_id"}
    labels = [
        (label.findtext("name"), label.findtext("type"), label.findtext("parent")) for label in ours.iter("label")
    ]
    assert labels == [
        ("clip", "skeleton", None),
        ("clip_box", "rectangle", None),
        ("tip", "points", "clip"),
        ("heel", "points", "clip"),
        ("hole", "points", "clip"),
    ]
    points = [(one.get("label"), one.get("outside"), one.get("occluded")) for one in ours.iter("points")]
    assert points == [("tip", "0", "0"), ("heel", "0", "1"), ("hole", "1", "0")]


def test_without_meta_the_first_skeleton_has_the_order(folder: Path) -> None:
    found = read_cvat(write(folder, IMAGE.format(SKELETON.format(group="")), meta=""), folder)
    assert found.dataset.keypoints == ("hole", "tip", "heel")


def test_a_box_of_the_group_is_the_parts(folder: Path) -> None:
    box = '<box label="b" occluded="0" xtl="1.00" ytl="2.00" xbr="31.00" ybr="22.50" z_order="0" group_id="7"></box>'
    found = read_cvat(write(folder, IMAGE.format(box + SKELETON.format(group='group_id="7"'))), folder)
    assert found.dataset.parts[0].box == (1.0, 2.0, 30.0, 20.5)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('points="20.50,8.00"', 'points="20.50,8.00;1,2"'), "image 'a.png': skeleton 1, tip: points is"),
        (('points="20.50,8.00"', 'points="20.50,eight"'), "skeleton 1, tip: '20.50,eight' are no numbers"),
        (('points="20.50,8.00"', 'points="64.50,8.00"'), "skeleton 1: keypoint tip is visible at [64.5, 8.0], outside"),
        (('points="20.50,8.00"', 'points="nan,8.00"'), "skeleton 1: a number is not finite"),
        (
            ('label="tip" source', 'label="top" source'),
            "skeleton 1: point 'top'; allowed: each of tip, heel, hole once",
        ),
        (('label="tip" source', 'label="heel" source'), "skeleton 1: point 'heel'"),
        (('occluded="1"', 'occluded="yes"'), "skeleton 1: occluded is 'yes'; allowed: 0 or 1"),
        (('width="64"', 'width="48"'), "image 'a.png': is 48 x 48 in CVAT; allowed: 64 x 48"),
        (("a.png", "../a.png"), "image '../a.png': names '../a.png'"),
        (("a.png", "c.png"), "image 'c.png': there is no file"),
        (("<annotations>", "<annotations><track></track>"), "is an export for video"),
        (("<annotations>", BOMB + "<annotations>"), "declares a document type"),
        (("</skeleton>", ""), "is not XML (mismatched tag"),
        (('encoding="utf-8"', 'encoding="klingon"'), "is not XML (unknown encoding"),
        (("annotations>", "dataset>"), "begins with <dataset>"),
        (("skeleton", "skull"), "there is no skeleton"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(folder: Path, change: tuple[str, str], says: str) -> None:
    path = write(folder, IMAGE.format(SKELETON.format(group="")))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(DataError) as refused:
        read_cvat(path, folder)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_an_image_twice_and_skeletons_of_two_labels_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"image 'a.png': is there twice"):
        read_cvat(write(folder, 2 * IMAGE.format(SKELETON.format(group=""))), folder)
    other = SKELETON.format(group="").replace("clip", "hinge")
    with pytest.raises(DataError, match="skeletons of clip, hinge"):
        read_cvat(write(folder, IMAGE.format(SKELETON.format(group="") + other)), folder)


def test_nesting_has_an_end(folder: Path) -> None:
    with pytest.raises(DataError, match="is nested too deep"):
        read_cvat(write(folder, "<a>" * 100_000), folder)


def test_a_photo_that_tools_turn_is_refused(folder: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    content = cv2.imencode(".jpg", np.zeros((48, 64), np.uint8))[1].tobytes()
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (folder / "a.jpg").write_bytes(content[:2] + segment + content[2:])
    path = write(folder, IMAGE.replace("a.png", "a.jpg").format(SKELETON.format(group="")))
    with pytest.raises(DataError, match=r"a.jpg: says that it is to be turned \(Exif orientation 6\)"):
        read_cvat(path, folder)
