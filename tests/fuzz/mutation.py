"""Other bytes from some bytes: changes that know nothing of what they mean, and some that know text, JSON, TOML or XML."""

import copy
import json
import random
from xml.etree import ElementTree

MOST_CHANGES = 8
LONGEST = 1 << 18
MOST_ELEMENTS = 1000  # of a document, so that copies of copies have an end
BYTES = (0x00, 0x01, 0x0A, 0x22, 0x2E, 0x5B, 0x5D, 0x7B, 0x7D, 0x7F, 0x80, 0xC0, 0xFE, 0xFF)
WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
NUMBERS = (0, -1, 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, 5e-324, 1e999)
TEXTS = ("", "a", "..", "../../x", "/etc/passwd", "a\n", "\0", "\u0660", "\ud800", "é" * 40, "x" * 5000, "{", "%s%n")
VALUES = (
    "nan",
    "inf",
    "-inf",
    "0x7fffffffffffffff",
    "1e400",
    "[]",
    "{}",
    "[[",
    "'''",
    '"""',
    "1979-05-27",
    "true",
    "9" * 400,
)


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to MOST_CHANGES changes; `others` are spliced in."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, MOST_CHANGES)):
        rng.choice(_CHANGES)(changed, rng, others)
    return bytes(changed[:LONGEST])


def _flip(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _put(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(BYTES)


def _insert(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    place = rng.randint(0, len(data))
    data[place:place] = bytes([rng.choice(BYTES)]) * rng.choice((1, 1, 1, 2, 4, 64, 2000))


def _delete(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    place = rng.randint(0, len(data))
    del data[place : place + rng.choice((1, 1, 2, 8, 64, 1024))]


def _cut(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    del data[rng.randint(0, len(data)) :]


def _repeat(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    place = rng.randint(0, len(data))
    piece = data[place : place + rng.choice((1, 4, 16, 100))]
    data[place:place] = piece * rng.choice((1, 2, 10, 100))


def _word(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    size = rng.choice((2, 4, 8))
    if len(data) >= size:
        place = rng.randint(0, len(data) - size)
        data[place : place + size] = (rng.choice(WORDS) % 2 ** (8 * size)).to_bytes(size, rng.choice(("big", "little")))


def _splice(data: bytearray, rng: random.Random, others: list[bytes]) -> None:
    other = rng.choice(others) if others else b""
    here, there = rng.randint(0, len(data)), rng.randint(0, len(other))
    data[here:] = other[there:]


def _number(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Another number in a text."""
    digits = [place for place, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    if digits:
        place = rng.choice(digits)
        data[place : place + 1] = str(rng.choice(NUMBERS)).encode()


_CHANGES = (_flip, _put, _insert, _delete, _cut, _repeat, _word, _splice, _number)


def vary_json(data: bytes, rng: random.Random) -> bytes:
    """Another JSON document: values replaced, keys removed, items repeated. `data` as it is where it is no JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(rng.randint(1, 4)):
        document = _vary_node(document, rng)
    return json.dumps(document, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")


def _vary_node(node: object, rng: random.Random) -> object:
    if isinstance(node, dict) and node and rng.random() < 0.9:
        return _vary_object(node, rng)
    if isinstance(node, list) and node and rng.random() < 0.9:
        place = rng.randrange(len(node))
        choice = rng.random()
        if choice < 0.1:
            return node[:place] + node[place + 1 :]
        if choice < 0.2:
            return node + [node[place]] * rng.choice((1, 2, 50))
        return [*node[:place], _vary_node(node[place], rng), *node[place + 1 :]]
    return rng.choice((*NUMBERS, *TEXTS, None, True, [], {}, [node], {"a": node}))


def _vary_object(node: dict[str, object], rng: random.Random) -> dict[str, object]:
    key = rng.choice(list(node))
    choice = rng.random()
    if choice < 0.1:
        return {name: value for name, value in node.items() if name != key}
    if choice < 0.15:
        return {**node, rng.choice(TEXTS): node[key]}
    return {**node, key: _vary_node(node[key], rng)}


def vary_toml(data: bytes, rng: random.Random) -> bytes:
    """Another TOML text, line by line: values replaced, lines removed, repeated and moved."""
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        key, equals, _value = lines[place].partition("=")
        choice = rng.random()
        if choice < 0.15:
            del lines[place]
            lines = lines or [""]
        elif choice < 0.25:
            lines.insert(rng.randint(0, len(lines)), lines[place])
        elif choice < 0.35:
            lines[place] = rng.choice((f"[{key.strip(' []')}.x]", f"{key}.x = 1", f"[[{key.strip(' []')}]]", "[" * 300))
        elif equals:
            lines[place] = f"{key}= {_toml_value(rng)}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _toml_value(rng: random.Random) -> str:
    return str(
        rng.choice((rng.choice(NUMBERS), json.dumps(rng.choice(TEXTS)), rng.choice(VALUES), '["a", "b"]', "[1.0, 2.0]"))
    )


def vary_xml(data: bytes, rng: random.Random) -> bytes:
    """Another XML document: attributes replaced and removed, elements removed, repeated and moved. `data` if it is no XML."""
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - what is varied is our own corpus, and a bomb would be found here
    except (ElementTree.ParseError, ValueError, LookupError):
        return data
    for _ in range(rng.randint(1, 4)):
        parents = [node for node in root.iter() if len(node)] or [root]
        node, parent, choice = rng.choice(list(root.iter())), rng.choice(parents), rng.random()
        if choice < 0.5 and node.attrib:
            node.set(rng.choice(list(node.attrib)), _xml_text(rng))
        elif choice < 0.6 and node.attrib:
            del node.attrib[rng.choice(list(node.attrib))]
        elif choice < 0.7:
            node.text = _xml_text(rng)
        elif choice < 0.75:
            node.tag = rng.choice(parents).tag
        elif len(parent) and choice < 0.85:
            parent.remove(rng.choice(list(parent)))
        elif len(parent) and sum(1 for _ in root.iter()) < MOST_ELEMENTS:
            # Copies, or an element could come to lie within itself.
            rng.choice(parents).extend([copy.deepcopy(rng.choice(list(parent)))] * rng.choice((1, 1, 2, 50)))
    return ElementTree.tostring(root, "utf-8")


def _xml_text(rng: random.Random) -> str:
    chosen = rng.choice((*map(str, NUMBERS), *TEXTS, *VALUES, "1,2;3,4", "nan,1", "1e999,0"))
    return chosen.encode("utf-8", "replace").decode().replace("\0", "")


def vary_lines(data: bytes, rng: random.Random) -> bytes:
    """Another text of words: words replaced, removed and repeated, lines removed, repeated and moved."""
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        words, choice = lines[place].split(" "), rng.random()
        if choice < 0.1:
            del lines[place]
            lines = lines or [""]
        elif choice < 0.2:
            lines.insert(rng.randint(0, len(lines)), lines[place])
        else:
            word = rng.randrange(len(words))
            other = rng.choice((*map(str, NUMBERS), *TEXTS, *VALUES, rng.choice(words)))
            words[word : word + rng.choice((0, 1, 1, 1))] = [other] * rng.choice((0, 1, 1, 1, 5))
            lines[place] = " ".join(words)
    return "\n".join(lines).encode("utf-8", "surrogatepass")
