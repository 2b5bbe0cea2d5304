"""A stored image with its text, read back."""

from pathlib import Path

import pytest

from pipeline import result as result_schema
from pipeline.errors import DataError
from pipeline.evidence import picture, record
from pipeline.frame import Frame, FrameInfo, PixelFormat
from tests.results import RESULT

INFO = FrameInfo(4, 3, PixelFormat.Mono8, 40, 7, 900.5, None, 1, 1_769_866_527_123_456_789)
PAYLOAD = bytes(range(12))
BYTES = result_schema.encode(RESULT)


def stored(folder: Path, payload: bytes = PAYLOAD, info: FrameInfo = INFO) -> Path:
    image = folder / "20260131T133527.123456Z-OK-1-2-top.png"
    image.write_bytes(picture.encode(Frame(info, memoryview(payload))).tobytes())
    image.with_suffix(".json").write_bytes(record.text_of("top", "cam", info, BYTES))
    return image


def test_frame_and_result_come_back_as_they_were(tmp_path: Path) -> None:
    frame, text = record.load(stored(tmp_path))
    assert bytes(frame.payload) == PAYLOAD
    told = (frame.info.frame_id, frame.info.trigger_number, frame.info.exposure_us, frame.info.received_utc_ns)
    assert told == (40, 7, 900.5, INFO.received_utc_ns)
    assert (text.view, text.camera, bytes(text.result)) == ("top", "cam", BYTES)
    assert result_schema.decode(bytes(text.result)).configuration_id == RESULT.configuration_id


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        (".json", None, "cannot be read"),
        (".png", None, "cannot be read"),
        (".json", b"", "no record"),
        (".json", b"{}", "no record"),
        (".json", b"\xff\xfe", "no record"),
        (".json", b"[" * 100_000, "no record"),
        (".png", b"", "not a picture"),
        (".png", b"\x89PNG\r\n\x1a\n", "not a picture"),
    ],
)
def test_damage_is_told_in_one_line(tmp_path: Path, file: str, content: bytes | None, what: str) -> None:
    image = stored(tmp_path)
    broken = image.with_suffix(file)
    if content is None:
        broken.unlink()
    else:
        broken.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        record.load(image)
    assert "\n" not in str(caught.value)
    assert str(broken) in str(caught.value)


def test_a_record_of_another_size_or_format_is_refused(tmp_path: Path) -> None:
    image = stored(tmp_path)
    text = image.with_suffix(".json")
    good = text.read_bytes()
    for before, after, what in (
        (b'"width":4', b'"width":3', "no stored frame of Mono8, 3 x 3"),
        (b'"Mono8"', b'"Mono9"', "no pixel format"),
        (b'"Mono8"', b'"RGB8"', "no stored frame of RGB8"),
        (b'"format":1', b'"format":2', "no record"),
    ):
        text.write_bytes(good.replace(before, after))
        with pytest.raises(DataError, match=what):
            record.load(image)
