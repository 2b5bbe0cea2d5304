"""What software triggers are for, where it is not production: kept in the journal, so that a new ledger knows it, too."""

from typing import Protocol

import msgspec

from pipeline.requests import Purpose

SETTING = "purposes"  # its name among the journal's settings
MOST_KEPT = 256  # more than can be under way


class Settings(Protocol):
    """What the journal keeps for ledgers to come."""

    def setting(self, name: str) -> str | None:
        """A value; None where there is none."""
        ...

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value."""
        ...


class Purposes:
    """Purpose by the key of the software trigger; one that is not known here is for production, as those of the line are."""

    def __init__(self, settings: Settings) -> None:
        """Go on with what the last ledger knew."""
        self._settings = settings
        try:
            self._by_key = msgspec.json.decode(settings.setting(SETTING) or "{}", type=dict[int, Purpose])
        except msgspec.DecodeError:
            self._by_key = {}

    def note(self, key: int, purpose: Purpose) -> None:
        """A trigger is asked for: to be noted before it is forwarded."""
        if purpose == "production":
            return
        self._by_key[key] = purpose
        for old in list(self._by_key)[:-MOST_KEPT]:
            del self._by_key[old]
        self._settings.set_setting(SETTING, msgspec.json.encode(self._by_key).decode())

    def of(self, key: int | None) -> Purpose:
        """What the trigger of this key is for; None is one of the line."""
        return "production" if key is None else self._by_key.get(key, "production")
