"""What pages measure their way to the server with."""

from __future__ import annotations

import zlib

import httpx


async def test_a_page_fetches_bytes_that_nothing_makes_fewer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/client/probe", headers={"Origin": "https://app.example"})

    assert answer.status_code == 200
    assert len(answer.content) == 65_536
    assert len(zlib.compress(answer.content)) > 65_000
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_page_sends_as_many_and_no_more(client: httpx.AsyncClient) -> None:
    assert (await client.post("/client/probe", content=b"x" * 65_536)).status_code == 204
    assert (await client.post("/client/probe", content=b"x" * 65_537)).status_code == 400


async def test_nobody_can_have_the_server_send_without_end(client: httpx.AsyncClient) -> None:
    states = [(await client.head("/client/probe")).status_code for _ in range(250)]

    assert states[0] == 200
    assert states[-1] == 429
