"""The examples in the documents: code blocks whose info string says how they are run, for example `html run=v1`.

    run=v1, run=v2      a whole page for a browser
    run=<any word>      a whole program, in the language of the block

An example is run as printed, except for four things that differ everywhere: the server's address, the key, the session
id and the token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SERVER = "http://localhost:8080"
PLACEHOLDERS = ("YOUR_API_KEY", "YOUR_API_SECRET", "YOUR_SESSION_ID", "YOUR_TOKEN")

_BLOCK = re.compile(r"^```(?P<language>\w+) run=(?P<run>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One code block that is run.

    Attributes:
        page: The document that it stands in.
        line: Where it begins there, from 1.
        language: `html`, `python` or another word for the block's language.
        run: What stands after `run=`.
        text: The block as printed.
    """

    page: Path
    line: int
    language: str
    run: str
    text: str

    def __str__(self) -> str:
        """The place, for the name of a test."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def filled(
        self, *, server: str, api_key: str = "", api_secret: str = "", session_id: str = "", token: str = ""
    ) -> str:
        """The text with the reader's own values in it."""
        text = self.text.replace(SERVER, server)
        for placeholder, value in zip(PLACEHOLDERS, (api_key, api_secret, session_id, token), strict=True):
            text = text.replace(placeholder, value)
        return text


def examples(*pages: Path, language: str | None = None) -> list[Example]:
    """The examples of these pages in their order; of all documents if none is named."""
    return [
        Example(page, text.count("\n", 0, block.start()) + 1, block["language"], block["run"], block["text"])
        for page in pages or documents()
        for text in [page.read_text(encoding="utf-8")]
        for block in _BLOCK.finditer(text)
        if language in (None, block["language"])
    ]


def documents() -> list[Path]:
    """Every document of the project, in a fixed order."""
    return sorted(DOCS.rglob("*.md")) + sorted(ROOT.glob("*.md"))
