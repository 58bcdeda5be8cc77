"""The documents at `/docs`: Markdown files rendered as readable pages with a table of contents."""

from __future__ import annotations

import hashlib
import html
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.files import FileFolder, etagged
from tertulia.adapters.http.pages import PAGE_HEADERS, SIGN

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Library", "docs_routes"]

PREFIX = "/docs"
INDEX = "index"
_TEMPLATE = Template((Path(__file__).parent / "docs.html").read_text(encoding="utf-8"))
_FOLDERS = ("", "guides", "reference", "decisions", "deviations")
_FILE_SUFFIXES = frozenset({".png", ".svg", ".jpg", ".webp", ".json"})
_TITLE = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Page:
    modified_ns: int
    title: str
    content: str


class Library:
    """The folder of documents. A page is named by its path without `.md`, for example `reference/limits`.

    `root` is the path below which an application has mounted the server; empty if it has none.
    """

    def __init__(self, folder: Path, root: str = "") -> None:
        self._root = root
        self._folder = folder.resolve()
        self._pages: dict[str, _Page] = {}

    @cached_property
    def _markdown(self) -> MarkdownIt:
        # Imported when the first page is read: a server should not start later for it.
        from markdown_it import MarkdownIt
        from mdit_py_plugins.anchors import anchors_plugin

        return MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=3)

    def names(self) -> list[str]:
        """Every page: the index, then the top folder, then the other folders, what one does before what one asks."""
        files = (file.relative_to(self._folder) for file in self._folder.rglob("*.md"))
        names = [file.with_suffix("").as_posix() for file in files]
        return sorted(names, key=_place)

    def page(self, name: str) -> str:
        """The whole HTML page `name`; the index lists everything if nobody wrote one. Raises KeyError if unknown."""
        names = self.names()
        if name == INDEX and INDEX not in names:
            page = _Page(0, "Documentation", "<h1>Documentation</h1>" + self._contents(names, ""))
        elif name in names:
            page = self._load(name)
        else:
            raise KeyError(name)
        return _TEMPLATE.substitute(
            root=html.escape(self._root),
            title=html.escape(page.title),
            sign=SIGN,
            contents=self._contents(names, name),
            content=page.content,
        )

    def _load(self, name: str) -> _Page:
        file = self._folder / f"{name}.md"
        modified_ns = file.stat().st_mtime_ns
        page = self._pages.get(name)
        if page is None or page.modified_ns != modified_ns:
            text = file.read_text(encoding="utf-8")
            title = _TITLE.search(text)
            # Code is set apart from prose in a title, but not in a list of titles.
            plain = title.group(1).replace("`", "") if title else name
            page = _Page(modified_ns, plain, self._render(name, text))
            self._pages[name] = page
        return page

    def _render(self, name: str, text: str) -> str:
        tokens = self._markdown.parse(text)
        for token in tokens:
            for inner in token.children or ():
                self._point_inside(name, inner)
        rendered: str = self._markdown.renderer.render(tokens, self._markdown.options, {})
        # A wide table scrolls by itself, so that a phone need not scroll the page.
        return rendered.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")

    def _point_inside(self, name: str, token: Token) -> None:
        """Make relative links between files work between pages; a link out of the folder has nothing to open here."""
        for attribute in ("href", "src"):
            target = token.attrGet(attribute)
            if not isinstance(target, str):
                continue
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), parts.path))
            if path.startswith(".."):
                token.attrs.pop(attribute)
                continue
            fragment = f"#{parts.fragment}" if parts.fragment else ""
            token.attrSet(attribute, f"{self._root}{PREFIX}/{path.removesuffix('.md')}{fragment}")

    def _contents(self, names: list[str], current: str) -> str:
        """The list of pages, one group for each folder."""
        lines: list[str] = []
        folder = ""
        for name in names:
            above = str(PurePosixPath(name).parent)
            if above != folder and above != ".":
                lines.append(f"<h2>{html.escape(above.replace('/', ' / ').capitalize())}</h2>")
            folder = above
            here = ' aria-current="page"' if name == current else ""
            address = self._root + (PREFIX if name == INDEX else f"{PREFIX}/{name}")
            lines.append(f'<a href="{html.escape(address)}"{here}>{html.escape(self._load(name).title)}</a>')
        return "\n".join(lines)


def _place(name: str) -> tuple[bool, int, str]:
    folder = name.partition("/")[0] if "/" in name else ""
    rank = _FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS)
    return name != INDEX, rank, name


def docs_routes(folder: Path) -> list[Route]:
    """Routes for the documents, their pictures, and the description of the REST API for programs."""
    # One in all but the rarest of applications.
    libraries: dict[str, Library] = {}
    files = FileFolder(folder)

    async def document(request: Request) -> Response:
        name = request.path_params.get("name", INDEX)
        if PurePosixPath(name).suffix in _FILE_SUFFIXES:
            return files.answer(request, name, {"Cache-Control": "no-cache"})
        root: str = request.scope.get("root_path", "")
        library = libraries.setdefault(root, Library(folder, root))
        try:
            body = library.page(name.removesuffix(".md")).encode()
        except KeyError as error:
            raise HTTPException(404) from error
        headers = {**PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}
        return etagged(request, body, f'"{hashlib.sha256(body).hexdigest()[:20]}"', headers)

    return [Route(PREFIX, document), Route(f"{PREFIX}/{{name:path}}", document)]
