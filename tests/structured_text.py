"""Runs the function blocks of docs/plc: a compiler for as much of IEC 61131-3 Structured Text and SCL as they use.

Types are checked as strictly as IEC 61131-3 has them: nothing is converted unasked, conditions are BOOL, constants are not
written. An index outside its array or an INT that overflows ends the run; an unsigned number wraps around, as on controllers.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"(?P<space>\s+|\(\*.*?\*\)|//[^\n]*|\{.*?\})"
    r"|(?P<time>T\#\d+s)"
    r"|(?P<number>(?:W\#)?16\#[0-9A-F]+|\d+(?:\.\d+(?!\.))?)"
    r'|(?P<name>\#?[A-Za-z_]\w*|"\w+")'
    r"|(?P<sign>:=|\.\.|<=|>=|<>|[-+=<>()\[\],;:.])",
    re.DOTALL,
)
_SECTIONS = ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT", "VAR")
_WORDS = {"WORD": 0xFFFF, "DWORD": 0xFFFFFFFF, "UINT": 0xFFFF, "UDINT": 0xFFFFFFFF}  # the largest of each
_LITERAL = "literal"  # a number without a type: it takes that of what it stands beside
_CONVERSIONS = {
    "DWORD_TO_WORD": ("DWORD", "WORD"),
    "UDINT_TO_DWORD": ("UDINT", "DWORD"),
    "UINT_TO_WORD": ("UINT", "WORD"),
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}

Run = Callable[[], None]
Value = Callable[[], Any]


class NotStructuredTextError(Exception):
    """A compiler would refuse it. The message begins with the line."""


@dataclass(slots=True)
class Timer:
    """TON: Q once IN has been TRUE for PT without a pause."""

    since_ms: int | None = None
    Q: bool = False

    def call(self, is_on: bool, wait_ms: int, now_ms: int) -> None:
        self.since_ms = (now_ms if self.since_ms is None else self.since_ms) if is_on else None
        self.Q = self.since_ms is not None and now_ms - self.since_ms >= wait_ms


@dataclass(slots=True)
class FunctionBlock:
    """An instance. `values` holds its variables by name; set its inputs there, call `scan`, and read its outputs.

    Attributes:
        lines: of all statements; those of which `ran` has none were never run.
    """

    text: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)
    ran: set[int] = field(default_factory=set)
    _types: dict[str, str] = field(default_factory=dict)
    _constants: set[str] = field(default_factory=set)
    _body: list[Run] = field(default_factory=list)
    _now_ms: int = 0

    def __post_init__(self) -> None:
        self._body = _Compiler(self).compile()

    def scan(self, now_ms: int) -> None:
        """One cycle of the controller."""
        self._now_ms = now_ms
        for run in self._body:
            run()


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, text and line of each."""
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        line = text.count("\n", 0, place) + 1
        if match is None:
            raise NotStructuredTextError(f"{line}: {text[place : place + 20]!r}")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0].removeprefix("#"), line))
        place = match.end()
    return [*found, ("end", "", text.count("\n") + 1)]


class _Compiler:
    """By recursive descent; each part of the text becomes a closure."""

    def __init__(self, block: FunctionBlock) -> None:
        self._block, self._tokens, self._place = block, _tokens(block.text), 0

    def compile(self) -> list[Run]:
        self._expect("FUNCTION_BLOCK")
        self._next()
        if self._take("VERSION"):
            self._expect(":")
            self._next()
        while self._is(*_SECTIONS):
            self._section()
        self._take("BEGIN")
        body = self._statements("END_FUNCTION_BLOCK")
        self._expect("END_FUNCTION_BLOCK")
        if self._tokens[self._place][0] != "end":
            raise self._refused("something follows the block")
        return body

    def _refused(self, what: str) -> NotStructuredTextError:
        _, text, line = self._tokens[self._place]
        return NotStructuredTextError(f"{line}: {what}, at {text!r}")

    def _is(self, *texts: str) -> bool:
        return self._tokens[self._place][1] in texts

    def _next(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _take(self, *texts: str) -> str:
        return self._next() if self._is(*texts) else ""

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._refused(f"{text} is missing")

    def _section(self) -> None:
        self._next()
        is_constant = bool(self._take("CONSTANT"))
        while not self._take("END_VAR"):
            name = self._next()
            self._expect(":")
            kind, value = self._declared()
            if self._take(":="):
                found, initial = self._expression()
                self._check(found, kind)
                value = initial()
            self._expect(";")
            self._block._types[name], self._block.values[name] = kind, value
            if is_constant:
                self._block._constants.add(name)

    def _declared(self) -> tuple[str, Any]:
        kind = self._next()
        if kind == "ARRAY":
            self._expect("[")
            self._expect("0")
            self._expect("..")
            last = int(self._next())
            self._expect("]")
            self._expect("OF")
            return f"ARRAY OF {self._declared()[0]}", [0] * (last + 1)
        if kind in ("TON", "TON_TIME"):
            return "TON", Timer()
        if kind not in ("BOOL", "INT", "TIME", *_WORDS):
            raise self._refused(f"{kind} is no type")
        return kind, False if kind == "BOOL" else 0

    def _check(self, found: str, wanted: str) -> None:
        if found != wanted and not (found == _LITERAL and wanted in ("INT", *_WORDS)):
            raise self._refused(f"{found} where {wanted} is wanted")

    def _statements(self, *ends: str) -> list[Run]:
        found = []
        while not self._is(*ends):
            found.append(self._statement())
        return found

    def _statement(self) -> Run:
        line, word = self._tokens[self._place][2], self._tokens[self._place][1]
        inner = {"IF": self._if, "CASE": self._case, "FOR": self._for}.get(word, self._assignment)()
        self._expect(";")
        block = self._block
        block.lines.add(line)

        def run() -> None:
            block.ran.add(line)
            inner()

        return run

    def _condition(self) -> Value:
        kind, value = self._expression()
        self._check(kind, "BOOL")
        return value

    def _if(self) -> Run:
        branches: list[tuple[Value, list[Run]]] = []
        while self._take("IF", "ELSIF"):
            condition = self._condition()
            self._expect("THEN")
            branches.append((condition, self._statements("ELSIF", "ELSE", "END_IF")))
        otherwise = self._statements("END_IF") if self._take("ELSE") else []
        self._expect("END_IF")

        def run() -> None:
            _run(next((branch for condition, branch in branches if condition()), otherwise))

        return run

    def _case(self) -> Run:
        self._next()
        kind, value = self._expression()
        self._check(kind, "INT")
        self._expect("OF")
        branches: dict[int, list[Run]] = {}
        while not self._take("END_CASE"):
            number = int(self._next())
            self._expect(":")
            branch: list[Run] = []
            while not self._is("END_CASE") and self._tokens[self._place][0] != "number":
                branch.append(self._statement())
            branches[number] = branch
        return lambda: _run(branches.get(value(), []))

    def _for(self) -> Run:
        self._next()
        name = self._next()
        self._check(self._block._types[name], "INT")
        self._expect(":=")
        first = self._expression()[1]
        self._expect("TO")
        last = self._expression()[1]
        self._expect("DO")
        body = self._statements("END_FOR")
        self._expect("END_FOR")
        values = self._block.values

        def run() -> None:
            for number in range(first(), last() + 1):
                values[name] = number
                _run(body)

        return run

    def _assignment(self) -> Run:
        block, name = self._block, self._next()
        if name not in block._types or name in block._constants:
            raise self._refused(f"{name} cannot be written")
        kind = block._types[name]
        if kind == "TON":
            return self._timer(name)
        index: Value | None = None
        if self._take("["):
            index = self._index(kind)
            kind = kind.removeprefix("ARRAY OF ")
        self._expect(":=")
        found, value = self._expression()
        self._check(found, kind)
        if index is None:
            return lambda: block.values.__setitem__(name, _fitting(kind, value()))
        place = index
        return lambda: block.values[name].__setitem__(_inside(place(), block.values[name]), _fitting(kind, value()))

    def _timer(self, name: str) -> Run:
        block = self._block
        for word in ("(", "IN", ":="):
            self._expect(word)
        is_on = self._condition()
        for word in (",", "PT", ":="):
            self._expect(word)
        kind, wait = self._expression()
        self._check(kind, "TIME")
        self._expect(")")
        return lambda: block.values[name].call(is_on(), wait(), block._now_ms)

    def _index(self, kind: str) -> Value:
        if not kind.startswith("ARRAY"):
            raise self._refused(f"{kind} has no index")
        found, index = self._expression()
        self._check(found, "INT")
        self._expect("]")
        return index

    def _expression(self) -> tuple[str, Value]:
        """OR binds least, then AND, comparisons, sums."""
        kind, value = self._conjunction()
        while self._take("OR"):
            kind, value = self._bits(kind, value, self._conjunction(), lambda a, b: a | b)
        return kind, value

    def _conjunction(self) -> tuple[str, Value]:
        kind, value = self._comparison()
        while self._take("AND"):
            kind, value = self._bits(kind, value, self._comparison(), lambda a, b: a & b)
        return kind, value

    def _bits(
        self, kind: str, left: Value, other: tuple[str, Value], both: Callable[[Any, Any], Any]
    ) -> tuple[str, Value]:
        if kind not in ("BOOL", "WORD", "DWORD"):
            raise self._refused(f"AND and OR of {kind}")
        self._check(other[0], kind)
        return kind, lambda: both(left(), other[1]())

    def _comparison(self) -> tuple[str, Value]:
        kind, left = self._sum()
        sign = self._take(*_COMPARE)
        if not sign:
            return kind, left
        found, right = self._sum()
        self._check(found, kind)
        return "BOOL", lambda: _COMPARE[sign](left(), right())

    def _sum(self) -> tuple[str, Value]:
        kind, left = self._single()
        while self._take("+"):
            found, right = self._single()
            if kind not in ("INT", "UINT", "UDINT"):
                raise self._refused(f"a sum of {kind}")
            self._check(found, kind)
            left = _added(left, right)
        return kind, left

    def _single(self) -> tuple[str, Value]:
        kind, text, _ = self._tokens[self._place]
        self._place += 1
        if kind == "number":
            typed, _, digits = text.rpartition("16#")
            number = int(digits, 16) if "16#" in text else int(digits)
            return "WORD" if typed == "W#" else _LITERAL, lambda: number
        if kind == "time":
            wait_ms = 1000 * int(text[2:-1])
            return "TIME", lambda: wait_ms
        if text in ("TRUE", "FALSE"):
            return "BOOL", lambda: text == "TRUE"
        if text == "NOT":
            found, value = self._single()
            self._check(found, "BOOL")
            return "BOOL", lambda: not value()
        if text == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        return self._called(text) if self._is("(") else self._variable(text)

    def _called(self, name: str) -> tuple[str, Value]:
        arguments = []
        while self._take("(", ","):
            if self._take("IN", "N"):
                self._expect(":=")
            arguments.append(self._expression())
        self._expect(")")
        if name == "SHR":
            (kind, value), (by_kind, by) = arguments
            self._check(by_kind, "INT")
            return kind, lambda: value() >> by()
        if name not in _CONVERSIONS:
            raise self._refused(f"{name} is no function")
        wanted, result = _CONVERSIONS[name]
        ((kind, value),) = arguments
        self._check(kind, wanted)
        return result, lambda: value() & _WORDS[result]

    def _variable(self, name: str) -> tuple[str, Value]:
        values, kind = self._block.values, self._block._types.get(name)
        if kind is None:
            raise self._refused(f"{name} is not declared")
        if self._take("["):
            index = self._index(kind)
            return kind.removeprefix("ARRAY OF "), lambda: values[name][_inside(index(), values[name])]
        if self._take("."):
            self._expect("Q")
            self._check(kind, "TON")
            return "BOOL", lambda: values[name].Q
        return kind, lambda: values[name]


def _run(statements: Sequence[Run]) -> None:
    for run in statements:
        run()


def _added(left: Value, right: Value) -> Value:
    return lambda: left() + right()


def _fitting(kind: str, value: int) -> int:
    if kind in ("UINT", "UDINT"):
        return value & _WORDS[kind]
    if kind == "INT" and not -0x8000 <= value <= 0x7FFF:
        raise OverflowError(f"{value} in an INT")
    return value


def _inside(index: int, array: Sequence[int]) -> int:
    if not 0 <= index < len(array):
        raise IndexError(f"{index} of {len(array)}")
    return index
