"""Where a table does not fit its type: msgspec says that it does not, but hides the keys of dictionaries."""

import types
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

import msgspec

Keys = tuple[str | int, ...]
LONGEST_SHOWN = 60


class Fault(msgspec.Struct, frozen=True):
    """What is wrong at `keys` (dictionary keys and list indices from the top) and what would have been accepted."""

    keys: Keys
    what: str
    allowed: str = ""


def find(annotation: object, value: object, keys: Keys = ()) -> Fault | None:
    """The first fault of `value` against the type `annotation`, the innermost one; None where it converts."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as problem:
        return _inside(_meant(annotation, value), value, keys) or _here(annotation, value, keys, problem)
    return None


def _inside(annotation: object, value: object, keys: Keys) -> Fault | None:
    arguments = get_args(annotation)
    if _is_struct(annotation) and isinstance(value, dict):
        return _in_struct(annotation, value, keys)
    if get_origin(annotation) is dict and isinstance(value, dict):
        return _first(find(arguments[1], item, (*keys, key)) for key, item in value.items())
    is_uniform = get_origin(annotation) is list or arguments[1:] == (...,)
    if is_uniform and isinstance(value, list):
        return _first(find(arguments[0], item, (*keys, index)) for index, item in enumerate(value))
    if get_origin(annotation) is tuple and isinstance(value, list) and len(value) == len(arguments):
        pairs = enumerate(zip(arguments, value, strict=True))
        return _first(find(kind, item, (*keys, index)) for index, (kind, item) in pairs)
    return None


def _in_struct(struct: type[msgspec.Struct], value: dict[str, Any], keys: Keys) -> Fault | None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    config = struct.__struct_config__
    known = {*fields, config.tag_field} if config.tag_field else {*fields}
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None and config.forbid_unknown_fields:
        return Fault((*keys, unknown), "unknown key", ", ".join(fields))
    missing = next((name for name, field in fields.items() if field.required and name not in value), None)
    if missing is not None:
        return Fault((*keys, missing), "is missing", _allowed(fields[missing].type))
    return _first(find(field.type, value[name], (*keys, name)) for name, field in fields.items() if name in value)


def _here(annotation: object, value: object, keys: Keys, problem: msgspec.ValidationError) -> Fault:
    if isinstance(value, dict) and _is_struct(_meant(annotation, value)):
        return Fault(keys, str(problem).partition(" - at `")[0])  # its own __post_init__ says what is wrong
    return Fault(keys, f"found {_shown(value)}", _allowed(annotation))


def _first(faults: Iterable[Fault | None]) -> Fault | None:
    return next((fault for fault in faults if fault), None)


def _meant(annotation: object, value: object) -> object:
    """The member of a union that `value` was meant for: the struct of its tag, else the only one of its shape."""
    members = list(_members(annotation))
    if isinstance(value, dict):
        tagged: list[object] = [member for member in members if _is_struct(member) and _has_tag_of(member, value)]
        members = tagged or [member for member in members if _is_struct(member) or get_origin(member) is dict]
    elif isinstance(value, list):
        members = [member for member in members if get_origin(member) in (list, tuple)]
        members = [member for member in members if _length_fits(member, value)] or members
    return members[0] if len(members) == 1 else annotation


def _members(annotation: object) -> Iterator[object]:
    """The plain types in a union, without their Annotated constraints."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_struct(annotation: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _has_tag_of(struct: type[msgspec.Struct], value: dict[str, Any]) -> bool:
    config = struct.__struct_config__
    return config.tag_field is not None and value.get(config.tag_field) == config.tag


def _length_fits(annotation: object, value: list[Any]) -> bool:
    arguments = get_args(annotation)
    return get_origin(annotation) is list or Ellipsis in arguments or len(arguments) == len(value)


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


_PLAIN: dict[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "",
}


def _allowed(annotation: object) -> str:
    """What a person may write there, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    text = _PLAIN.get(annotation, "a value")
    if origin is Annotated:
        limits = [_limits(meta) for meta in arguments[1:] if isinstance(meta, msgspec.Meta)]
        text = " ".join(filter(None, [_allowed(arguments[0]), *limits]))
    elif origin in (Union, types.UnionType):
        text = _allowed_union(arguments)
    elif origin is Literal:
        text = ", ".join(_shown(choice) for choice in arguments)
    elif origin is dict:
        text = f"a table whose values are {_allowed(arguments[1])}"
    elif origin is list or (origin is tuple and Ellipsis in arguments):
        text = f"a list, each item {_allowed(arguments[0])}"
    elif origin is tuple:
        text = f"[{', '.join(_allowed(item) for item in arguments)}]"
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        text = ", ".join(str(member.value) for member in annotation)
    elif _is_struct(annotation):
        fields = ", ".join(field.encode_name for field in msgspec.structs.fields(annotation))
        text = f"a table with {fields}" if fields else "an empty table"
    return text


def _allowed_union(arguments: tuple[object, ...]) -> str:
    structs = [member for member in arguments if _is_struct(member) and member.__struct_config__.tag is not None]
    tags = f"{structs[0].__struct_config__.tag_field} = " if structs else ""
    tags += " or ".join(_shown(member.__struct_config__.tag) for member in structs)
    others = [_allowed(member) for member in arguments if member not in structs]
    return " or ".join(dict.fromkeys(filter(None, [*others, tags])))


_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
_LENGTHS = {"min_length": "at least", "max_length": "at most"}


def _limits(meta: msgspec.Meta) -> str:
    parts = [f"{word} {getattr(meta, key)}" for key, word in _LIMITS.items() if getattr(meta, key) is not None]
    parts += [f"{word} {getattr(meta, key)} long" for key, word in _LENGTHS.items() if getattr(meta, key) is not None]
    if meta.pattern:
        parts.append(f"that matches {meta.pattern}")
    return ", ".join(parts)
