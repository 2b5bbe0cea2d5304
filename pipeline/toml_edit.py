"""One value of a TOML file changed, and every other character of it left as it was: comments, order, alignment.

Whatever comes out is read again and compared with what was meant, so that a file that is written in a way which is not understood
here is refused, never damaged.
"""

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RecipeError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\n\r]*")
_REST = re.compile(r"[ \t]*(#[^\n]*)?\r?\n?")


class _NotUnderstood(Exception):  # noqa: N818 - an end of reading, not an error of ours
    """This is TOML, perhaps, but not as it is read here."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and its value: the table is `path`'s beginning. `line` is where the key begins; a header has no value."""

    path: tuple[str, ...]
    line: int
    start: int
    end: int
    is_header: bool = False


def edited(text: str, path: Sequence[str], value: object, where: str) -> str:
    """The text with another value at `path`; None removes it. What is not there is written at the end of its table.

    Args:
        text: a TOML file.
        path: keys, from the outermost table on.
        value: what TOML can say: text, numbers, booleans, and lists and tables of them.
        where: the file's name, for messages.

    Raises:
        RecipeError: it is no TOML, or written in a way that is not understood here.
    """
    keys = tuple(path)
    try:
        before = tomllib.loads(text)
        wanted = _changed(before, keys, value)
        made = _replaced(text, list(_entries(text)), keys, wanted)
        if tomllib.loads(made) != wanted:
            raise _NotUnderstood
    except (tomllib.TOMLDecodeError, _NotUnderstood, TypeError, AttributeError) as problem:
        raise RecipeError(
            f"{'.'.join(keys)} cannot be changed by itself ({str(problem) or 'it is written in an unusual way'})",
            where=where,
            next_command="write it with an editor",
        ) from None
    return made


def rendered(value: object) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(rendered(one) for one in value)}]"
        case dict():
            pairs = (
                f"{key if _BARE.fullmatch(key) else json.dumps(key)} = {rendered(one)}" for key, one in value.items()
            )
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
    raise TypeError(f"{value!r} cannot be written")


def _changed(table: dict[str, Any], keys: tuple[str, ...], value: object) -> dict[str, Any]:
    wanted = copy.deepcopy(table)
    if value is None and _at(table, keys) is None:
        return wanted
    inner = wanted
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    if value is None:
        inner.pop(keys[-1], None)
    else:
        inner[keys[-1]] = list(value) if isinstance(value, tuple) else value
    return wanted


def _replaced(text: str, entries: list[_Entry], keys: tuple[str, ...], wanted: dict[str, Any]) -> str:
    """In its place; else behind the last line of its table; else with a table of its own at the end."""
    for entry in entries:
        if not entry.is_header and keys[: len(entry.path)] == entry.path:
            value = _at(wanted, entry.path)
            if value is None:
                rest = _REST.match(text, entry.end)
                return text[: entry.line] + text[rest.end() if rest else entry.end :]
            return text[: entry.start] + rendered(value) + text[entry.end :]
    value = _at(wanted, keys)
    if value is None:
        return text
    line = f"{keys[-1] if _BARE.fullmatch(keys[-1]) else json.dumps(keys[-1])} = {rendered(value)}\n"
    table = [entry for entry in entries if entry.path[: len(keys) - 1] == keys[:-1]]
    header = next((entry for entry in table if entry.is_header and entry.path == keys[:-1]), None)
    if header is None:
        name = ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in keys[:-1])
        return f"{text.rstrip()}\n\n[{name}]\n{line}" if name else f"{line}{text}"
    last = header
    for entry in entries[entries.index(header) + 1 :]:
        if entry.is_header:
            break
        last = entry
    rest = _REST.match(text, last.end)
    end = rest.end() if rest else last.end
    return f"{text[:end]}{'' if text[:end].endswith(chr(10)) else chr(10)}{line}{text[end:]}"


def _at(table: dict[str, Any], path: tuple[str, ...]) -> object:
    value: Any = table
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _entries(text: str) -> Iterator[_Entry]:
    table: tuple[str, ...] = ()
    at = _skipped(text, 0)
    while at < len(text):
        if text.startswith("[[", at):
            raise _NotUnderstood("an array of tables")
        if text[at] == "[":
            table, end = _key(text, at + 1)
            if not text.startswith("]", end):
                raise _NotUnderstood
            yield _Entry(table, at, at, end + 1, is_header=True)
            at = _skipped(text, end + 1)
            continue
        key, equals = _key(text, at)
        if not text.startswith("=", equals):
            raise _NotUnderstood
        start = _end_of(_SPACES, text, equals + 1)
        end = _value_end(text, start)
        yield _Entry(table + key, at, start, end)
        at = _skipped(text, end)


def _key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """A dotted key, and where what follows it begins."""
    keys: list[str] = []
    while True:
        at = _end_of(_SPACES, text, at)
        if text[at : at + 1] in ('"', "'"):
            end = _string_end(text, at)
            keys.append(str(tomllib.loads(f"x = {text[at:end]}")["x"]))
        else:
            end = _end_of(_BARE, text, at)
            keys.append(text[at:end])
        at = _end_of(_SPACES, text, end)
        if not text.startswith(".", at):
            return tuple(keys), at
        at += 1


def _value_end(text: str, at: int) -> int:
    opening = text[at : at + 1]
    if opening in ('"', "'"):
        return _string_end(text, at)
    if opening not in ("[", "{"):
        end = _end_of(_SCALAR, text, at)
        return at + len(text[at:end].rstrip())
    closing = "]" if opening == "[" else "}"
    at = _skipped(text, at + 1)
    while not text.startswith(closing, at):
        if opening == "{":
            at = _end_of(_SPACES, text, _key(text, at)[1] + 1)
        at = _skipped(text, _value_end(text, at))
        if text.startswith(",", at):
            at = _skipped(text, at + 1)
        elif not text.startswith(closing, at):
            raise _NotUnderstood
    return at + 1


def _string_end(text: str, at: int) -> int:
    quote = text[at] * 3 if text.startswith(text[at] * 3, at) else text[at]
    end = at + len(quote)
    while not text.startswith(quote, end):
        if end >= len(text):
            raise _NotUnderstood
        end += 2 if text[end] == "\\" and quote[0] == '"' else 1
    return end + len(quote)


def _skipped(text: str, at: int) -> int:
    return _end_of(_BLANK, text, at)


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise _NotUnderstood
    return match.end()
