"""What happened at a station, from one status to the next: for people who look up a moment later."""

from collections import deque

import msgspec

from pipeline.clock import iso_utc, utc_ns
from pipeline.status import Status

KEPT = 30


class Incident(msgspec.Struct, frozen=True):
    """`code` has a text in every language (`incident_CODE`), with {name} and {text}. `is_bad`: somebody should look."""

    time: str
    code: str
    name: str
    text: str
    is_bad: bool


class Incidents:
    """Compares each status with the one before."""

    def __init__(self) -> None:
        self.kept: deque[Incident] = deque(maxlen=KEPT)
        self._before: Status | None = None
        self._is_heard = True

    def observe(self, status: Status) -> bool:
        """Returns whether something happened."""
        before, self._before = self._before, status
        found = [] if before is None else _changes(before, status)
        self.kept.extendleft(found)
        return bool(found)

    def heard(self, is_heard: bool) -> bool:
        """Whether the ledger is heard. Returns whether that has changed."""
        if is_heard == self._is_heard:
            return False
        self._is_heard = is_heard
        self.kept.appendleft(_incident("heard" if is_heard else "silent", bad=not is_heard))
        return True


def _changes(before: Status, now: Status) -> list[Incident]:
    found: list[Incident] = []
    if now.session != before.session:
        found.append(_incident("session", text=now.version, bad=True))
    if now.state != before.state:
        found.append(_incident("state", now.state.value, now.text, bad=now.state.value in ("Error", "Halted")))
    if now.configuration_id != before.configuration_id or now.recipe_id != before.recipe_id:
        found.append(_incident("recipe", f"{now.recipe_id}", now.product_id))
    was_up = {camera.camera: camera.up for camera in before.cameras}
    for camera in now.cameras:
        if camera.up != was_up.get(camera.camera, camera.up):
            code = "camera_up" if camera.up else "camera_down"
            found.append(_incident(code, camera.camera, camera.text, bad=not camera.up))
    restarts = {process.name: process.restarts for process in before.processes}
    found += [
        _incident("restart", process.name, bad=True)
        for process in now.processes
        if process.restarts > restarts.get(process.name, process.restarts)
    ]
    for code, was, fault in (
        ("journal", before.journal.fault, now.journal.fault),
        ("images", before.evidence.fault, now.evidence.fault),
    ):
        if fault != was:
            found.append(_incident(f"{code}_{'fault' if fault else 'well'}", text=fault, bad=bool(fault)))
    return found


def _incident(code: str, name: str = "", text: str = "", *, bad: bool = False) -> Incident:
    return Incident(iso_utc(utc_ns()), code, name, text, bad)
