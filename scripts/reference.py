"""Writes docs/reference/api/ from the docstrings of what applications import, and REST. `make build` runs it.

    python scripts/reference.py

Reads the source and imports nothing of it, so that it also runs where a wheel is built.
"""

from __future__ import annotations

import logging
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference" / "api"
# Page -> module and title.
PAGES = {
    "client": ("tertulia", "API of the Python client"),
    "server": ("tertulia.server", "API of `tertulia.server`"),
    "asgi": ("tertulia.asgi", "API of `tertulia.asgi`"),
}
NOTE = "This page is made from the docstrings, name by name. Every example is run by the tests."
# The decorators that make a method of one of the REST API's operations, and what then stands before its name.
FACES = {"_waiting": "", "_awaited": "async ", "_offline": ""}


def main() -> int:
    # It remarks on the indentation of prose.
    logging.getLogger("griffe").setLevel(logging.ERROR)
    FOLDER.mkdir(parents=True, exist_ok=True)
    package = griffe.load("tertulia", search_paths=[ROOT / "src"], docstring_parser="google", allow_inspection=False)
    for page, (module, title) in PAGES.items():
        text = "\n".join(page_of(package[module.partition(".")[2]] if "." in module else package, module, title))
        target = FOLDER / f"{page}.md"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
    runpy.run_path(str(ROOT / "scripts" / "rest_reference.py"))["main"]()
    return 0


def page_of(module: Any, path: str, title: str) -> Iterator[str]:
    yield from (f"# {title}", "", NOTE, "", f"`from {path} import …`", "")
    yield from sections(module)
    names = [name for name in module.exports or () if not name.startswith("__")]
    members = [target(module[name]) for name in names]
    yield from ("| name | is |", "|---|---|")
    for name, member in zip(names, members, strict=True):
        yield f"| [`{name}`](#{name.lower()}) | {summary(member)} |"
    yield ""
    for name, member in zip(names, members, strict=True):
        yield from class_of(name, member) if member.is_class else function_of(name, member, "##")


def target(member: Any) -> Any:
    return member.final_target if member.is_alias else member


def summary(member: Any) -> str:
    text = member.docstring.value if member.docstring else ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def class_of(name: str, kind: Any) -> Iterator[str]:
    yield from (f"## {name}", "")
    bases = [str(base) for base in kind.bases if str(base) != "Face"]
    if bases:
        yield from (f"A `{', '.join(bases)}`.", "")
    maker = kind.members.get("__init__")
    if maker is not None and maker.is_function:
        yield from signature(name, maker, returns="")
    yield from sections(kind)
    values = [member for member in kind.members.values() if is_public(member) and is_value(member)]
    documented = {one.name for part in parts(kind) if part.kind.value == "attributes" for one in part.value}
    rows = [member for member in values if member.name not in documented]
    if rows:
        yield from ("| attribute | type | |", "|---|---|---|")
        for member in rows:
            annotation = str(member.annotation or member.value or "").replace("|", "\\|")
            yield f"| `{member.name}` | `{annotation}` | {summary(member)} |"
        yield ""
    for member in methods(kind):
        yield from member


def methods(kind: Any) -> Iterator[Iterator[str]]:
    """The methods of a class and of those of its bases that are ours and not public themselves."""
    for owner in (kind, *(base for base in kind.resolved_bases if base.name in ("Face",))):
        for member in owner.members.values():
            if not is_public(member):
                continue
            if member.is_function:
                yield function_of(f"{kind.name}.{member.name}", member, "###")
            elif (operation := operation_of(member)) is not None:
                made_by, function = operation
                yield function_of(f"{kind.name}.{member.name}", function, "###", start=FACES[made_by])


def operation_of(member: Any) -> tuple[str, Any] | None:
    """The decorator and the operation of an attribute such as `signal = _waiting(Operations.signal)`."""
    found = re.fullmatch(r"(\w+)\((\w*Operations)\.(\w+)\)", str(member.value or ""))
    if found is None or found[1] not in FACES:
        return None
    module = "server.account_operations" if found[2] == "AccountOperations" else "server.operations"
    return found[1], target(member.package[f"{module}.{found[2]}"].all_members[found[3]])


def is_public(member: Any) -> bool:
    return not member.is_alias and not member.name.startswith("_")


def is_value(member: Any) -> bool:
    return bool(member.is_attribute) and operation_of(member) is None


def function_of(name: str, function: Any, level: str, start: str = "") -> Iterator[str]:
    yield from (f"{level} {name}", "")
    returns = str(function.returns or "None")
    if returns.startswith("Call["):
        returns = returns.removeprefix("Call[").removesuffix("]")
    yield from signature(start + name, function, returns)
    yield from sections(function)


def signature(name: str, function: Any, returns: str) -> Iterator[str]:
    """The call as one would declare it, without `self`."""
    shown: list[str] = []
    keyword_only = False
    for parameter in function.parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            keyword_only = True
            shown.append("*")
        star = {"variadic positional": "*", "variadic keyword": "**"}.get(parameter.kind.value, "")
        annotation = f": {parameter.annotation}" if parameter.annotation is not None else ""
        default = f" = {parameter.default}" if parameter.default is not None and not star else ""
        shown.append(f"{star}{parameter.name}{annotation}{default}")
    start = "async " if "async" in function.labels else ""
    lines = ",\n    ".join(shown)
    body = f"\n    {lines},\n" if sum(map(len, shown)) > 70 else ", ".join(shown)
    yield from ("```", f"{start}{name}({body}){f' -> {returns}' if returns else ''}", "```", "")


def parts(member: Any) -> list[Any]:
    return member.docstring.parsed if member.docstring else []


TITLES = {"parameters": "parameter", "attributes": "attribute", "raises": "raises"}


def sections(member: Any) -> Iterator[str]:
    for part in parts(member):
        kind = part.kind.value
        if kind == "text":
            yield from (part.value.strip(), "")
        elif kind in TITLES:
            yield from (f"| {TITLES[kind]} | |", "|---|---|")
            for one in part.value:
                name = one.annotation if kind == "raises" else one.name
                yield f"| `{name}` | {' '.join(one.description.split()).replace('|', chr(92) + '|')} |"
            yield ""
        elif kind == "returns":
            said = " ".join(" ".join(one.description.split()) for one in part.value)
            yield from (f"Returns: {said}", "")


if __name__ == "__main__":
    raise SystemExit(main())
