"""The documents as pages."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.unit.adapters.http.conftest import Server


@pytest.fixture(autouse=True)
def documents(server: Server) -> Path:
    (server.docs / "index.md").write_text("# Welcome\n\nSee [limits](guides/limits.md#signals).\n")
    (server.docs / "guides" / "limits.md").write_text(
        "# The `limits`\n\n## Signals\n\n| what | how much |\n|---|---|\n| data | 8 KB |\n\n"
        "[home](../index.md) [out](../../README.md) [web](https://example.org) ![a picture](../picture.svg)\n\n"
        "```js\nif (1 < 2) {}\n```\n\n<script>alert(1)</script>\n"
    )
    (server.docs / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (server.docs / "secret.txt").write_text("not a document")
    return server.docs


async def test_the_index_opens_at_docs(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")

    assert "<title>Welcome · Tertulia</title>" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="/docs/guides/limits#signals"' in answer.text


@pytest.mark.parametrize("path", ["/docs/guides/limits", "/docs/guides/limits.md"])
async def test_a_page_has_its_tables_code_and_anchors(client: httpx.AsyncClient, path: str) -> None:
    page = (await client.get(path)).text

    assert '<h2 id="signals"' in page
    assert '<div class="wide"><table>' in page
    assert "if (1 &lt; 2) {}" in page


async def test_links_between_files_are_links_between_pages(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs/guides/limits")).text

    assert '<a href="/docs/index">home</a>' in page
    assert "<a>out</a>" in page
    assert '<a href="https://example.org">web</a>' in page
    assert 'src="/docs/picture.svg"' in page


async def test_the_list_of_pages_shows_where_one_is(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs/guides/limits")).text

    assert '<a href="/docs">Welcome</a>' in page
    assert '<a href="/docs/guides/limits" aria-current="page">The limits</a>' in page
    assert "<h2>Guides</h2>" in page


async def test_a_document_cannot_bring_its_own_markup(client: httpx.AsyncClient) -> None:
    assert "<script>" not in (await client.get("/docs/guides/limits")).text


async def test_pictures_are_served_and_nothing_else(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs/picture.svg")).headers["content-type"] == "image/svg+xml"
    for path in ("/docs/secret.txt", "/docs/none", "/docs/..%2fweb%2fpages%2fplayground.html", "/docs/none.png"):
        assert (await client.get(path)).status_code == 404


async def test_an_edited_document_is_shown_at_once(client: httpx.AsyncClient, documents: Path) -> None:
    await client.get("/docs")
    (documents / "index.md").write_text("# Farewell\n")

    assert "Farewell" in (await client.get("/docs")).text


async def test_without_an_index_everything_is_listed(client: httpx.AsyncClient, documents: Path) -> None:
    (documents / "index.md").unlink()

    page = (await client.get("/docs")).text

    assert "<h1>Documentation</h1>" in page
    assert page.count('href="/docs/guides/limits"') == 2


async def test_no_documents_are_no_error(client: httpx.AsyncClient, documents: Path) -> None:
    (documents / "index.md").unlink()
    (documents / "guides" / "limits.md").unlink()

    assert (await client.get("/docs")).status_code == 200
