"""The first station.toml and recipe.toml, with comments that say what to write next."""

from collections.abc import Sequence
from math import ceil

from pipeline.commands.found_camera import FoundCamera
from pipeline.toml_edit import rendered
from pipeline.untaught import KEYPOINTS, UNTAUGHT

VIEW = "top"
RECIPE_NUMBER = 1
_SLOT_MB = 6  # the ring's own default
_COLUMN = 40
_LINE_MS, _FILES_MS = 2000, 10_000  # files come at once, while networks are being loaded


def station_text(name: str, camera: FoundCamera, others: Sequence[FoundCamera], *, has_page: bool) -> str:
    """A whole station file; `others` are cameras that were found, too, and are written as comments.

    Args:
        name: the station's.
        camera: what it looks through.
        others: further ones.
        has_page: whether what serves the live page is installed.
    """
    slot_mb = max(_SLOT_MB, ceil(camera.payload_bytes / 2**20))
    lines = [
        "# A station: one daemon, its cameras, and the folder of its recipes. Written by `datumd init`; it is yours now.",
        "# After a change: datumd check station.toml. Everything that may stand here: docs/operations.md.",
        "format = 1",
        _said("station", name, "its name in results and metrics"),
        _said("recipes", "recipes", "every folder in it that `datumd seal` has sealed"),
        _said("recipe", RECIPE_NUMBER, "the one to start with"),
        "",
        _said("[part]", None, "one trigger = one part = one answer"),
        _said("deadline_ms", _FILES_MS if camera.can_wait else _LINE_MS, "answered by then, with a verdict or without"),
        _said("pass", ["OK"], "everything else is REJECT"),
        "",
        f"[camera.{VIEW}]",
        *camera.table,
        "",
        *_further(others),
        _said("[ring]", None, "frames in memory"),
        _said("slot_mb", slot_mb, "room for one frame"),
        _said("policy", "wait" if camera.can_wait else "drop_oldest", _policy(can_wait=camera.can_wait)),
        "",
        _said("[archive]", None, "the journal of all results, and pictures"),
        _said("folder", "state", "beside this file"),
        _said("quota_gb", 5, "for pictures; over it the oldest go"),
        _said("sample_ok", 20, "one picture in so many OK parts; of all others every one"),
        "",
        _said("[results]", None, "the stream: datumd listen, your program; requests are answered at the next port"),
        'bind = "tcp://127.0.0.1:5570"',
        "",
        _said("[metrics]", None, "for Prometheus, and /healthz"),
        'bind = "127.0.0.1:9570"',
        "",
        *_page(has_page=has_page),
        "",
        _said("# [plc]", None, "the line's controls: docs/plc.md, lines.md, opcua.md, mqtt.md"),
        '# modbus = { bind = "127.0.0.1:1502" }',
    ]
    return "\n".join(lines) + "\n"


def recipe_text(name: str, size_wh: tuple[int, int]) -> str:
    """A recipe file of a view in which nothing was taught."""
    width, height = size_wh
    lines = [
        "# What is known of a part. Written by `datumd init`; it is yours now. After a change: datumd seal FOLDER.",
        f"# While the keypoints are {' and '.join(KEYPOINTS)}, nothing is taught: every part is NOT_DECIDABLE and rejected.",
        "format = 1",
        _said("name", name, "the product's, in results"),
        _said("number", RECIPE_NUMBER, "the line selects recipes by it"),
        "",
        f"[view.{VIEW}]",
        "# Where the part lies: x, y, width, height in px. If parts lie anywhere, uncomment this line and delete the next:",
        '# locate = { blob = { mode = "edges", area_px = [8000, 500000] } }',
        f"locate = {rendered({'fixed': [0, 0, width, height]})}",
        "# In the order of the labels; `datumd train` writes locate and keypoints here where nothing was taught before.",
        f"keypoints = {rendered(list(KEYPOINTS))}",
        "# Hidden = NOT_OK, unsure = NOT_DECIDABLE.",
        f"must_be_present = {rendered([UNTAUGHT])}",
        "# scale_mm_per_px = 0.1                # then lengths are in mm; exact and through the lens: docs/calibration.md",
        "# image = { grey = [40, 200], saturated_percent = 3.0, sharpness = 0.2 }    # else UNDEFINED; `seal` prints yours",
        "",
        "# What is measured between keypoints, and its limits; every kind: docs/measurements.md. Lines without a limit inform.",
        "# [measure]",
        '# width = { distance = ["left", "right"], nominal = 48.0, tolerance = 0.3 }',
        '# tilt = { angle = ["left", "right"], nominal = 0.0, tolerance = 1.0 }',
    ]
    return "\n".join(lines) + "\n"


def _further(others: Sequence[FoundCamera]) -> list[str]:
    if not others:
        return []
    lines = ["# Found, too. Two views of one part: both numbered by the line's trigger, and a view each in the recipe."]
    for number, camera in enumerate(others, start=2):
        lines += [f"# [camera.camera{number}]", *(f"# {line}" for line in camera.table if not line.startswith("#")), ""]
    return lines


def _page(*, has_page: bool) -> list[str]:
    page = ["[web]", 'bind = "127.0.0.1:8590"', '# tokens = "people"']
    why = ["the live page", "this machine only, until it has tokens and a certificate", "roles: docs/web.md"]
    lines = [_said(line, None, text) for line, text in zip(page, why, strict=True)]
    if has_page:
        return lines
    return ["# The live page needs: pip install 'datumd[web]'", *(f"# {line.removeprefix('# ')}" for line in lines)]


def _policy(*, can_wait: bool) -> str:
    return "files can wait until there is room" if can_wait else "or drop_latest; what is dropped is answered, too"


def _said(key: str, value: object, why: str) -> str:
    text = key if value is None else f"{key} = {rendered(value)}"
    return f"{text:<{_COLUMN - 2}}  # {why}"
