"""Reports of pages."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from tests.unit.adapters.http.conftest import Server


async def test_a_report_gets_an_id_that_stands_in_the_log(client: httpx.AsyncClient) -> None:
    with capture_logs() as log:
        answer = await client.post("/client/issues", content=b'{"sessionId":"2_abc","connectionId":"b7d0"}')

    assert answer.status_code == 200
    assert [(line["issue_id"], line["session_id"], line["connection_id"]) for line in log] == [
        (answer.json()["id"], "2_abc", "b7d0")
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"sessionId":"a b"}', b'{"sessionId":5}', b'{"sessionId":"' + b"x" * 300]
)
async def test_a_malformed_report_is_refused_and_not_logged(client: httpx.AsyncClient, body: bytes) -> None:
    with capture_logs() as log:
        answer = await client.post("/client/issues", content=body)

    assert answer.status_code == 400
    assert log == []


async def test_reports_cannot_flood_the_log(client: httpx.AsyncClient, server: Server) -> None:
    states = [(await client.post("/client/issues", content=b"{}")).status_code for _ in range(60)]

    assert (states.count(200), states.count(429)) == (50, 10)
    server.clock.advance(1.0)
    assert (await client.post("/client/issues", content=b"{}")).status_code == 200
