"""What an engineer asks of the workers while the station is set up; each change is written down."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline import requests
from pipeline.clock import utc_ns
from pipeline.ledger.journal import Journal
from pipeline.messages import Adjusted, Adjusting, Asked, Renewing, Told
from pipeline.requests import Adjust, Note, Renew, Reply
from pipeline.workers.switchboard import Switchboard

SETUP = "setup"  # the journal's setting: "yes" while the station is set up
FEATURES = ("ExposureTime", "Gain", "BlackLevel", "Gamma")  # what others change is what the recipes are qualified for
MOST_ASKED = 100
REQUESTS = "requests"


@dataclass(slots=True)
class SetupDesk:
    """Hands such commands on, and their answers back. `cameras` and `workers` (of inference) by their names."""

    switchboard: Switchboard
    journal: Journal
    cameras: Sequence[str]
    workers: Sequence[str]
    _asked: dict[int, Asked] = field(default_factory=dict)

    @property
    def is_setup(self) -> bool:
        """Whether the station is being set up."""
        return self.journal.setting(SETUP) == "yes"

    def takes(self, asked: Asked) -> bool:
        """Whether the command is one of these; then it is, or will be, answered."""
        match asked.command:
            case Adjust():
                self._adjust(asked, asked.command)
            case Renew():
                self._reply(asked, self._renew(asked.peer))
            case Note(text=text):
                self.journal.audit(utc_ns(), asked.peer, "note", "", text)
                self._reply(asked, "")
            case _:
                return False
        return True

    def adjusted(self, told: Adjusted) -> None:
        """A camera has answered."""
        asked = self._asked.pop(told.ticket, None)
        if asked is None or not isinstance(asked.command, Adjust):
            return
        wanted = {name: value for name, value in asked.command.features.items() if value is not None}
        if wanted:
            after = told.fault or ", ".join(f"{name} = {told.values[name]}" for name in wanted)
            self.journal.audit(utc_ns(), asked.peer, "adjust", asked.command.camera, after)
        self._reply(asked, told.fault, told.values)

    def _adjust(self, asked: Asked, command: Adjust) -> None:
        name = f"grab.{command.camera}"
        strange = [feature for feature in command.features if feature not in FEATURES]
        if not self.is_setup:
            self._reply(asked, "the station is not being set up")
        elif strange:
            self._reply(asked, f"{strange[0]} is not to be set here; allowed: {', '.join(FEATURES)}")
        elif command.camera not in self.cameras or name not in self.switchboard.pids:
            self._reply(asked, f"there is no camera {command.camera} up")
        else:
            while len(self._asked) >= MOST_ASKED:  # of cameras that died; their clients have been told by now
                self._asked.pop(next(iter(self._asked)))
            self._asked[asked.ticket] = asked
            pid = self.switchboard.pids[name]
            self.switchboard.tell(name, Adjusting(asked.ticket, command.features, pid, self.journal.session))

    def _renew(self, peer: str) -> str:
        if not self.is_setup:
            return "the station is not being set up"
        for name in self.workers:
            if name in self.switchboard.pids:
                self.switchboard.tell(name, Renewing(self.switchboard.pids[name], self.journal.session))
        self.journal.audit(utc_ns(), peer, "renew", "", "")
        return ""

    def _reply(self, asked: Asked, error: str, values: dict[str, bool | int | float | str] | None = None) -> None:
        reply = Reply(asked.command.id, error, "datumd status" if error else "", values=values or {})
        self.switchboard.tell(REQUESTS, Told(asked.ticket, requests.encode(reply)))
