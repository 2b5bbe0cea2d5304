"""What may be typed after `datumd`: every command, option and choice, read from the parsers themselves."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST_HELP = 80


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its spellings, whether a value follows, and which ones there are (none = any, as a file)."""

    names: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Words:
    """What may follow a command.

    Attributes:
        path: the command with its parents: ("calibrate", "lens"); () is `datumd` itself.
        commands: name to help of the commands below it.
        options: of it.
        choices: of its arguments that are chosen from a list.
    """

    path: tuple[str, ...]
    commands: dict[str, str]
    options: tuple[Option, ...]
    choices: tuple[str, ...]


def words(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[Words]:
    """All that may follow `datumd`, then each of its commands, and those below them."""
    version = Option(("--version",), takes_value=False, choices=(), help="show the version")
    help_ = Option(("-h", "--help"), takes_value=False, choices=(), help="show this help message and exit")
    return [Words((), _named(commands), (help_, version), ()), *_below((), commands)]


def _below(path: tuple[str, ...], commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Iterator[Words]:
    for name, parser in commands.choices.items():
        yield from _of(((*path, name)), parser)


def _of(path: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Words]:
    formatter = parser._get_formatter()
    options: list[Option] = []
    choices: list[str] = []
    commands: dict[str, str] = {}
    below: list[argparse._SubParsersAction[argparse.ArgumentParser]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below.append(action)
            commands.update(_named(action))
        elif action.help == argparse.SUPPRESS:
            continue
        elif action.option_strings:
            text = _short(formatter._expand_help(action)) if action.help else ""
            chosen = tuple(map(str, action.choices or ()))
            options.append(Option(tuple(action.option_strings), action.nargs != 0, chosen, text))
        else:
            choices += map(str, action.choices or ())
    yield Words(path, commands, tuple(options), tuple(choices))
    for action in below:
        yield from _below(path, action)


def _named(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> dict[str, str]:
    helps = {action.dest: _short(action.help or "") for action in commands._choices_actions}
    return {name: helps.get(name, "") for name in commands.choices}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_HELP else f"{line[: _LONGEST_HELP - 1]}…"
