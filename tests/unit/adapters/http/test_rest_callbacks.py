"""The REST API's registration of callbacks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.adapters.http.conftest import Server
from tests.unit.adapters.http.test_rest import authentication

WISH = {"group": "connection", "event": "created", "url": "https://app.example.org/hook"}


async def test_a_callback_is_registered_listed_and_removed(server: Server, client: httpx.AsyncClient) -> None:
    path, headers = f"/v2/project/{server.playground.project.api_key}/callback", authentication(server)
    made = await client.post(path, json={**WISH, "unknown": 1}, headers=headers)

    assert made.status_code == 200
    assert set(made.json()) == {"id", "group", "event", "url", "createdAt", "secret"}
    assert WISH.items() <= made.json().items()
    assert made.json()["createdAt"] == server.clock.wall()
    other = await client.post(path, json={**WISH, "group": "archive", "event": "status"}, headers=headers)
    assert (await client.get(path, headers=headers)).json() == [made.json(), other.json()]
    removed = await client.delete(f"{path}/{made.json()['id']}", headers=headers)
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await client.get(path, headers=headers)).json() == [other.json()]
    assert (await client.delete(f"{path}/{made.json()['id']}", headers=headers)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"group": None},
        {"event": ""},
        {"url": None},
        {"group": "weather"},
        {"event": "status"},
        {"group": "archive"},
        {"url": "ftp://app.example.org"},
        {"url": "https://"},
        {"url": "https://user:password@app.example.org/"},
        {"url": "http://127.0.0.1/hook"},
        {"url": "http://169.254.169.254/latest"},
        {"url": 5},
        {"url": "https://app.example.org/" + "x" * 2048},
    ],
)
async def test_a_wish_with_anything_wrong_in_it_registers_nothing(
    server: Server, client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    path, headers = f"/v2/project/{server.playground.project.api_key}/callback", authentication(server)
    answer = await client.post(path, json={**WISH, **change}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert (await client.get(path, headers=headers)).json() == []


async def test_a_callback_of_another_project_is_neither_seen_nor_removed(
    server: Server, client: httpx.AsyncClient
) -> None:
    other = await server.projects.create("other")
    mine, theirs = (f"/v2/project/{key}/callback" for key in (server.playground.project.api_key, other.api_key))
    made = (await client.post(mine, json=WISH, headers=authentication(server))).json()
    as_other = authentication(server, other)
    assert (await client.get(theirs, headers=as_other)).json() == []
    foreign = await client.delete(f"{theirs}/{made['id']}", headers=as_other)
    unknown = await client.delete(f"{theirs}/nobody", headers=as_other)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert (await client.get(mine, headers=authentication(server))).json() == [made]
