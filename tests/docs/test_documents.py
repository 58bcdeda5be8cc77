"""The documents by themselves: links lead somewhere, examples are whole, and what they say agrees with the contract."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import limits
import pytest
import yaml

import tertulia
import tertulia.asgi
import tertulia.server
from tertulia.client.events import EVENT_CLASSES
from tests.docs.examples import DOCS, PLACEHOLDERS, ROOT, Example, documents, examples

LINK = re.compile(r"(?<!\\)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
END_OF_SESSION = DOCS / "reference" / "session-disconnect-event.md"


def contract(name: str) -> Any:
    return yaml.safe_load((ROOT / "contract" / name).read_text(encoding="utf-8"))


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The fragments that a link to the page can have."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page)))
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_the_documents_leads_somewhere(page: Path) -> None:
    for target in (match["target"] for match in LINK.finditer(prose(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if fragment:
            assert fragment in anchors(file), target


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_document_can_be_reached_from_the_index(page: Path) -> None:
    seen: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        file = waiting.pop()
        if file in seen or file.suffix != ".md" or not file.is_relative_to(DOCS) or not file.exists():
            continue
        seen.add(file)
        targets = [match["target"].partition("#")[0] for match in LINK.finditer(prose(file))]
        waiting += [(file.parent / target).resolve() for target in targets if target and ":" not in target]
    assert page in seen


@pytest.mark.parametrize("example", examples(), ids=str)
def test_an_example_is_whole(example: Example) -> None:
    capitals = set(re.findall(r"YOUR_[A-Z_]+", example.text))
    assert capitals <= set(PLACEHOLDERS), "the tests replace nothing else"
    if example.language == "python":
        ast.parse(example.text)
    if example.language == "html":
        assert example.text.startswith("<!doctype html>\n")
        assert example.text.endswith("</html>\n")
        assert example.run in ("v1", "v2")


def test_the_reference_has_examples_for_both_eras_and_python() -> None:
    assert {"v1", "v2"} < {example.run for example in examples(END_OF_SESSION)}
    assert {example.language for example in examples(END_OF_SESSION)} == {"html", "python"}


def test_the_reference_names_every_reason_and_no_other() -> None:
    text = prose(END_OF_SESSION)
    reasons = text.split("## Reasons")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", reasons, re.MULTILINE)
    assert named == contract("events.yaml")["events"]["sessionDisconnected"]["reasons"]


def test_the_limits_are_those_of_the_code() -> None:
    assert (DOCS / "limits.md").read_text(encoding="utf-8") == limits.page(), "run `make fmt`"


@pytest.mark.parametrize("name", contract("events.yaml")["events"])
def test_every_event_of_the_contract_is_in_the_compatibility_tables(name: str) -> None:
    assert f"`{name}`" in prose(DOCS / "compatibility.md")


def test_the_members_that_are_absent_are_those_of_the_browser_client() -> None:
    source = (ROOT / "web" / "src" / "api" / "unavailable.ts").read_text(encoding="utf-8")
    absent: dict[tuple[str, str], set[str]] = {}
    for owner, lists in re.findall(r"^  (\w+): \{(.*?)\},$", source, re.MULTILINE | re.DOTALL):
        if names := set(re.findall(r"'(\w+)'", lists)):
            absent[owner, "v1, v2"] = names
    owners = {"archiving-session": "session", "archiving-stream": "stream", "device-publisher": "publisher"}
    for path in (ROOT / "web" / "src" / "eras" / "v1").glob("*.ts"):
        if names := set(re.findall(r"notSupported\('(\w+)'\)", path.read_text(encoding="utf-8"))):
            absent.setdefault((owners.get(path.stem, "namespace"), "v1"), set()).update(names)
    table = prose(DOCS / "compatibility.md").split("## Members that are absent")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (v1, v2|v1) \| (.*) \|$", table, re.MULTILINE)
    assert {(owner, pages): set(re.findall(r"`(\w+)`", members)) for owner, pages, members in rows} == absent


def test_the_map_names_only_what_is_there() -> None:
    page = prose(ROOT / "ARCHITECTURE.md")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    paths = {path for row in rows for path in re.findall(r"`([\w./-]+/[\w./-]*)`", row) if not path.startswith("/")}
    assert len(paths) > 30
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_reference_of_the_python_client_names_everything_that_is_public() -> None:
    text = prose(DOCS / "reference" / "python-client.md")
    members = {name for name in vars(tertulia.Session) if not name.startswith("_")}
    fields = {field.name for value in (tertulia.Stream, tertulia.Capabilities) for field in dataclasses.fields(value)}
    names = {*tertulia.__all__, *members, *fields} - {"__version__"}
    assert {name for name in names if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)} == set()
    types = {name for kind in EVENT_CLASSES for name in kind.types}
    assert {name for name in types if f"`{name}`" not in text} == set()


def test_the_protocol_names_every_message_and_close_code() -> None:
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    wire = contract("signalling.yaml")
    kinds = ("opening", "answers", "requests", "unnumbered_client_messages", "notices", "events")
    missing = {name for kind in kinds for name in wire[kind] if f"`{name}`" not in text and f'"{name}"' not in text}
    missing |= {f"{code}" for code in wire["close_codes"] if f"| {code} |" not in text}
    link = contract("router-link.yaml")
    missing |= {name for kind in ("requests", "events") for name in link[kind] if f"`{name}`" not in text}
    assert missing == set()


@pytest.mark.parametrize("module", [tertulia, tertulia.server, tertulia.asgi], ids=lambda module: module.__name__)
def test_the_api_reference_has_every_name_with_words(module: Any) -> None:
    page = DOCS / "reference" / "api" / f"{'client' if module is tertulia else module.__name__.rpartition('.')[2]}.md"
    text = page.read_text(encoding="utf-8")
    names = set(module.__all__) - {"__version__"}
    assert {name for name in names if not re.search(rf"^## {name}\n\n\S", text, re.MULTILINE)} == set()
    assert {name for name in names if re.search(rf"^\| \[`{name}`\]\(#.*\) \|  \|$", text, re.MULTILINE)} == set()


@pytest.mark.parametrize("client", [tertulia.server.Client, tertulia.server.AsyncClient])
def test_the_api_reference_has_every_call_with_its_arguments(client: type) -> None:
    text = (DOCS / "reference" / "api" / "server.md").read_text(encoding="utf-8")
    for name, method in inspect.getmembers(client, callable):
        if name.startswith("_"):
            continue
        part = text.split(f"### {client.__name__}.{name}\n")[1].split("\n### ")[0].split("\n## ")[0]
        for argument in list(inspect.signature(method).parameters)[1:]:
            assert f"`{argument}`" in part, (name, argument)


def test_every_program_in_the_api_reference_is_run() -> None:
    """A block of Python without `run=` would be an example that nobody tried."""
    pages = sorted((DOCS / "reference" / "api").glob("*.md"))
    assert len(pages) == 4
    assert [
        page for page in pages if re.search(r"^```python\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ] == []
