"""Reports of pages."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.conftest import Server


async def test_a_report_is_kept_and_its_id_stands_in_the_log(client: httpx.AsyncClient, server: Server) -> None:
    body = (
        b'{"sessionId":"2_abc","connectionId":"b7d0","description":"no sound","client":"tertulia 1",'
        b'"statistics":{"streams":[1]}}'
    )
    with capture_logs() as log:
        answer = await client.post("/client/issues", content=body)

    assert answer.status_code == 200
    [kept] = await server.store.issues(10)
    assert kept.issue_id == answer.json()["id"]
    assert (kept.description, kept.client, kept.statistics) == ("no sound", "tertulia 1", '{"streams":[1]}')
    assert "no sound" not in str(log), "what the user wrote is not for a log"
    assert [(line["issue_id"], line["session_id"], line["connection_id"]) for line in log] == [
        (answer.json()["id"], "2_abc", "b7d0")
    ]


LONG = b'{"description":"' + b"x" * 1001 + b'"}'
LARGE = b'{"statistics":"' + b"x" * 32_768 + b'"}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"sessionId":"a b"}',
        b'{"sessionId":5}',
        b'{"sessionId":"' + b"x" * 300,
        LONG,
        LARGE,
        b'{"statistics":' + b"[" * 3000,
    ],
)
async def test_a_malformed_report_is_neither_kept_nor_logged(
    client: httpx.AsyncClient, server: Server, body: bytes
) -> None:
    with capture_logs() as log:
        answer = await client.post("/client/issues", content=body)

    assert answer.status_code == 400
    assert log == []
    assert await server.store.issues(10) == []


async def test_reports_cannot_flood_the_log(client: httpx.AsyncClient, server: Server) -> None:
    states = [(await client.post("/client/issues", content=b"{}")).status_code for _ in range(60)]

    assert (states.count(200), states.count(429)) == (50, 10)
    server.clock.advance(1.0)
    assert (await client.post("/client/issues", content=b"{}")).status_code == 200
