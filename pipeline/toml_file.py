"""TOML files as typed data: every fault is one line that names the file, the key, the value and what is allowed."""

import math
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pipeline import plain_file, toml_fault
from pipeline.errors import DatumdError

LARGEST_BYTES = 400_000  # 1024 keypoints with the longest names fit; an image given by mistake is not parsed

DEEPEST = 20  # no struct goes deeper: what lies below is an unknown key

# tomllib takes time with the square of a key's parts: minutes for one that fills a file. Every start is looked at but those
# inside of a part, so that none hides behind a quote; a string or comment that looks like such a key is refused with it.
_PART = r"""(?:(?<![\w-])[\w-]++|(?<!\\)"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP_KEY = re.compile(rf"(?:{_PART}[ \t]*+\.[ \t]*+){{{DEEPEST}}}{_PART}", re.ASCII)

T = TypeVar("T")
Table = dict[str, Any]  # what tomllib gives; goes no further than `convert`


def read(path: Path, struct: type[T], error: type[DatumdError]) -> T:
    """The file at `path` as `struct` (msgspec structs, unknown keys forbidden).

    Raises:
        error: missing or unreadable file, not TOML (line and column), unknown or missing key, wrong type or value,
            a number that is not finite.
    """
    return convert(read_table(path, error), struct, path, error)


def read_table(path: Path, error: type[DatumdError]) -> Table:
    """The file's keys and values before they are typed, for a caller whose defaults depend on what is in the file."""
    try:
        text = plain_file.read(path, LARGEST_BYTES, error).decode()
    except UnicodeDecodeError as problem:
        raise error(f"is not UTF-8 text (byte {problem.start})", where=str(path)) from None
    deep = _DEEP_KEY.search(text)
    if deep is not None:
        line = text.count("\n", 0, deep.start()) + 1
        raise error(
            f"a key of more than {DEEPEST} parts in line {line}", where=str(path), allowed=f"{DEEPEST} parts at most"
        )
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:  # a number of thousands of digits, thousands of brackets
        raise error(f"is not TOML: {problem}", where=str(path)) from None
    for keys, number in _floats(table):
        if not math.isfinite(number):  # compares as neither above nor below a limit
            raise error(f"found {number}", where=at(path, *keys), allowed="a finite number")
    return table


def convert(table: Table, struct: type[T], path: Path, error: type[DatumdError]) -> T:
    """`table`, read from `path`, as `struct`. Raises `error` with the dotted path of the key that is wrong."""
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as problem:
        fault = toml_fault.find(struct, table) or toml_fault.Fault((), str(problem))
        raise error(fault.what, where=at(path, *fault.keys), allowed=fault.allowed) from None


def at(path: Path, *keys: str | int) -> str:
    """How messages name a key in a file: `station.toml: camera.top.features`, list items as `[0]`."""
    return f"{path}: {_dotted(keys)}" if keys else str(path)


def _floats(table: Table) -> Iterator[tuple[toml_fault.Keys, float]]:
    """Every float in a table down to DEEPEST, with the keys that lead to it."""
    left: list[tuple[toml_fault.Keys, object]] = [((), table)]
    while left:
        keys, value = left.pop()
        if len(keys) > DEEPEST:
            continue
        if isinstance(value, float):
            yield keys, value
        elif isinstance(value, dict):
            left += [((*keys, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            left += [((*keys, index), item) for index, item in enumerate(value)]


def _dotted(keys: Iterable[str | int]) -> str:
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            bare = key.replace("-", "_").isidentifier() or key.isdigit()
            text += f"{'.' if text else ''}{key if bare else msgspec.json.encode(key).decode()}"
    return text
