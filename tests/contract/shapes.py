"""Reading message shapes, from the contract's notation and from msgspec types, into one comparable form."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

Shape = Any
"""A nested form: name of a scalar, frozenset of literals, ["list", shape] or {field: shape}; `?` marks optional."""

SCALARS = {int: "int", str: "string", bool: "bool", float: "number", msgspec.Raw: "object"}


def of_type(annotation: Any) -> Shape:
    """Return the shape of a Python type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return of_type(get_args(annotation)[0])
    if origin is Literal:
        return frozenset(get_args(annotation))
    if origin is list:
        return ["list", of_type(get_args(annotation)[0])]
    if origin is dict:
        return "object"
    if origin in (Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not type(None)]
        return of_type(members[0]) if len(members) == 1 else "any"
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return of_struct(annotation)
    return SCALARS[annotation]


def of_struct(struct: type[msgspec.Struct]) -> Shape:
    """Return the shape of a struct: its fields as they cross the wire."""
    return {
        field.encode_name + ("" if field.required else "?"): of_type(field.type)
        for field in msgspec.structs.fields(struct)
    }


def of_notation(notation: Any, types_: Mapping[str, Any], aliases: Mapping[str, str]) -> Shape:
    """Return the shape of a contract's notation: {field: type}, [type], `a | b`, or the name of a type."""
    if isinstance(notation, dict):
        return {key: of_notation(value, types_, aliases) for key, value in notation.items()}
    if isinstance(notation, list):
        return ["list", of_notation(notation[0], types_, aliases)]
    if not isinstance(notation, str):
        raise TypeError(f"{notation!r} is no notation")
    if "|" in notation:
        return frozenset(part.strip() for part in notation.split("|"))
    if notation in types_ and notation not in SCALARS.values():
        return of_notation(types_[notation], types_, aliases)
    return aliases.get(notation, notation)
