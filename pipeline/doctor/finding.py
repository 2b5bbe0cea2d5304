"""What was found of one thing, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import DatumdError


class Level(StrEnum):
    """How a thing is: in order, worth a look, or in the way of the station."""

    OK = "ok"
    LOOK = "look"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `todo` is what to do, "" where nothing is to be done."""

    name: str
    level: Level
    text: str
    todo: str = ""

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.level:<5} {self.name}: {self.text}" + (f"; do: {self.todo}" if self.todo else "")


def fine(name: str, text: str) -> Finding:
    """In order."""
    return Finding(name, Level.OK, text)


def look(name: str, text: str, todo: str) -> Finding:
    """The station runs, but perhaps not as well or as long as it should."""
    return Finding(name, Level.LOOK, text, todo)


def wrong(name: str, text: str, todo: str) -> Finding:
    """The station does not run, or soon not any more."""
    return Finding(name, Level.WRONG, text, todo)


def refused(name: str, problem: DatumdError) -> Finding:
    """What another part of the product says of a thing."""
    text = f"{problem.where}: {problem.what}" if problem.where else problem.what
    return wrong(name, text, problem.next_command or problem.allowed or "datumd check STATION.toml")
