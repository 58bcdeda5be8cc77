"""Writes docs/reference/api/rest.md and openapi.json from contract/openapi.yaml. scripts/reference.py runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "contract" / "openapi.yaml"
FOLDER = ROOT / "docs" / "reference" / "api"
METHODS = ("post", "get", "put", "patch", "delete")
STATES = {
    "full": "",
    "partial": "Works in part",
    "refused": "This server does not have the feature: a request is checked, then refused with status 403 and code 403",
}


def main() -> int:
    description = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("rest.md", "\n".join(page(description)))
    # The anchors that the source is written with are nobody else's matter.
    public = {name: value for name, value in description.items() if name != "x-errors"}
    write("openapi.json", json.dumps(public, ensure_ascii=False, indent=1) + "\n")
    return 0


def write(name: str, text: str) -> None:
    target = FOLDER / name
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


def page(description: dict[str, Any]) -> Iterator[str]:
    info = description["info"]
    yield from (f"# {info['title']}", "", f"{info['summary']} For programs: [openapi.json](openapi.json).", "")
    yield from (info["description"].strip(), "")
    for tag in description["tags"]:
        found = [
            (path, method, item)
            for path, item in description["paths"].items()
            for method in METHODS
            if method in item and item[method]["tags"] == [tag["name"]]
        ]
        if found:
            yield from (f"## {tag['name']}", "")
        for path, method, item in found:
            yield from operation(description, path, method, item)


def operation(description: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> Iterator[str]:
    about = item[method]
    yield from (f"### {about['summary']}", "", "```", f"{method.upper()} {path}", "```", "")
    for other, why in about.get("x-also", {}).items():
        yield from (f"Also `{other}` ({why}).", "")
    if "description" in about:
        yield from (about["description"].strip(), "")
    note = ". ".join(part.rstrip(".") for part in (STATES[about["x-state"]], about.get("x-note", "")) if part)
    if note:
        yield from (f"{note}.", "")
    if about.get("security"):
        yield from ("Takes an account's token.", "")
    given = [follow(description, one) for one in (*item.get("parameters", ()), *about.get("parameters", ()))]
    yield from table(("parameter", "in", ""), [(f"`{p['name']}`", p["in"], meaning(p["schema"], p)) for p in given])
    if "requestBody" in about:
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        yield from table(("field", "type", ""), list(fields(description, follow(description, schema))))
    rows = []
    for status, one in sorted(about["responses"].items()):
        answer = follow(description, one)
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        kind = ""
        if status < "4":
            kind = ", ".join(f"`{name}`" for name, _, _ in fields(description, follow(description, schema)))
        rows.append((status, answer["description"] + (f" {kind}" if kind else "")))
    yield from table(("status", "answer"), rows)


def follow(description: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What a reference names, with whatever stands beside it."""
    if "$ref" not in part:
        return part
    target: Any = description
    for name in part["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return {**follow(description, target), **{name: value for name, value in part.items() if name != "$ref"}}


def fields(description: dict[str, Any], schema: dict[str, Any], before: str = "") -> Iterator[tuple[str, str, str]]:
    """Every field of an object and of those in it: name, type, meaning."""
    if schema.get("type") == "array":
        yield from fields(description, follow(description, schema.get("items", {})), before)
        return
    for name, one in schema.get("properties", {}).items():
        inner = follow(description, one)
        needed = "Required." if name in schema.get("required", ()) else ""
        yield f"{before}{name}", kind_of(inner), f"{meaning(inner, inner)} {needed}".strip()
        deeper = inner if inner.get("type") != "array" else follow(description, inner.get("items", {}))
        if deeper.get("properties"):
            mark = "[]" if inner.get("type") == "array" else ""
            yield from fields(description, deeper, f"{before}{name}{mark}.")


def kind_of(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    if "const" in schema:
        return f"`{schema['const']}`"
    kinds = schema.get("type", "object")
    shown = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return " or ".join(shown)


def meaning(schema: dict[str, Any], owner: dict[str, Any]) -> str:
    parts = [owner.get("description", "").rstrip(".")]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        parts.append(f"{low:,} to {high:,}")
    if "maxLength" in schema:
        parts.append(f"at most {schema['maxLength']:,} characters")
    if schema.get("default") not in (None, ""):
        parts.append(f"without it {schema['default']}")
    text = "; ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield from (f"| {' | '.join(head)} |", "|" + "---|" * len(head))
    for row in rows:
        cells = [f"`{row[0]}`" if head[0] == "field" else row[0], *row[1:]]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


if __name__ == "__main__":
    raise SystemExit(main())
