"""What a development server says of itself."""

from __future__ import annotations

import httpx

from tertulia.adapters.http.announcement import facts_of, text_of
from tests.unit.adapters.http.conftest import Server


async def test_programs_get_everything_they_need(server: Server, client: httpx.AsyncClient) -> None:
    facts = facts_of(server.playground, "http://localhost:8080")

    assert facts["url"] == "http://localhost:8080"
    assert facts["api_secret"] == server.playground.project.api_secret
    assert "impair" not in facts
    assert list(facts["tokens"]) == ["subscriber", "publisher", "publisheronly", "moderator"]


async def test_people_get_the_same_and_on_a_network_a_picture(server: Server, client: httpx.AsyncClient) -> None:
    facts = facts_of(server.playground, "https://192.168.1.7:8080")
    plain = text_of(facts, integrity="sha384-x", with_picture=False)
    pictured = text_of(facts, integrity="sha384-x", with_picture=True)

    for text in (plain, pictured):
        for value in (facts["url"], facts["api_key"], facts["api_secret"], *facts["tokens"].values()):
            assert value in text
        assert "https://192.168.1.7:8080/v2/js/opentok.min.js" in text
        assert "sha384-x" in text
        assert "npm install @opentok/client@https://192.168.1.7:8080/npm/tertulia.tgz" in text
    assert "█" not in plain
    assert pictured.count("█") > 100


async def test_a_network_that_is_made_bad_on_purpose_is_told_to_programs_people_and_the_page(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.playground.impair = "loss=20,delay=150"
    facts = facts_of(server.playground, "http://localhost:8080")

    assert facts["impair"] == "loss=20,delay=150"
    assert "bad network  loss=20,delay=150, on purpose" in text_of(facts, integrity="sha384-x", with_picture=False)
    assert (await client.get("/playground/config.json")).json()["impair"] == "loss=20,delay=150"
