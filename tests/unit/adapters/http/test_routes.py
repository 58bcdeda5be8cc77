"""Everything that is not the REST API: scripts, pages, the playground, health, and what every answer has in common."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import httpx
import pytest

from tertulia.adapters.http.rest import rest_routes
from tertulia.adapters.http.scripts import NO_STYLE_PATH, PACKAGE_PATH, SCRIPT_PATHS, STYLE_PATH, script_integrity
from tertulia.services.callbacks import Callbacks
from tests import openapi
from tests.fakes.ids import CountingIds
from tests.unit.adapters.http.conftest import Server


@pytest.mark.parametrize("path", SCRIPT_PATHS)
async def test_the_client_script_is_at_every_address_for_every_origin(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Origin": "https://app.example.org"})

    assert answer.status_code == 200
    assert answer.text.startswith("var OT")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=60"


async def test_a_browser_that_has_the_script_is_told_so(client: httpx.AsyncClient) -> None:
    first = await client.get(SCRIPT_PATHS[0])
    again = await client.get(SCRIPT_PATHS[0], headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_the_script_is_compressed_for_those_who_can_read_it(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", SCRIPT_PATHS[0], headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    plain = await client.get(SCRIPT_PATHS[0], headers={"Accept-Encoding": "identity"})

    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)
    assert "content-encoding" not in plain.headers


async def test_a_new_build_is_served_without_a_restart(server: Server, client: httpx.AsyncClient) -> None:
    before = await client.get(SCRIPT_PATHS[0])
    (server.web / "tertulia.js").write_text("var OT={version:2};")
    after = await client.get(SCRIPT_PATHS[0])

    assert after.text == "var OT={version:2};"
    assert after.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize(
    ("path", "content", "content_type"),
    [
        (NO_STYLE_PATH, b"var OT={style:0};", "text/javascript; charset=utf-8"),
        (STYLE_PATH, b".OT_root{}", "text/css; charset=utf-8"),
        ("/v2/css/icons/play.svg", b"<svg/>", "image/svg+xml"),
        (PACKAGE_PATH, b"\x1f\x8bpackage", "application/x-tar"),
    ],
)
async def test_style_and_package_are_for_every_origin(
    client: httpx.AsyncClient, path: str, content: bytes, content_type: str
) -> None:
    answer = await client.get(path, headers={"Origin": "https://app.example.org"})

    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == content_type
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_overview_has_the_hash_of_each_script_and_an_address_that_never_changes(
    server: Server, client: httpx.AsyncClient
) -> None:
    overview = (await client.get("/scripts")).json()
    script = await client.get(overview["script"]["path"])
    digest = base64.b64encode(hashlib.sha384(script.content).digest()).decode()

    assert overview["script"]["integrity"] == script_integrity(server.web) == f"sha384-{digest}"
    assert overview["addresses"] == list(SCRIPT_PATHS)
    for kind in ("script", "no_style"):
        pinned = await client.get(overview[kind]["pinned"])
        assert pinned.content == (await client.get(overview[kind]["path"])).content
        assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_an_address_of_another_build_has_nothing(server: Server, client: httpx.AsyncClient) -> None:
    before = (await client.get("/scripts")).json()
    (server.web / "tertulia.js").write_text("var OT={version:2};")
    after = (await client.get("/scripts")).json()

    assert (await client.get(before["script"]["pinned"])).status_code == 404
    assert (await client.get(after["script"]["pinned"])).text == "var OT={version:2};"
    assert before["script"]["integrity"] != after["script"]["integrity"]


@pytest.mark.parametrize(
    "path", ["/v2/css/icons/none.svg", "/v2/css/icons/..%2ftertulia.svg", "/v2/js/opentok-0.min.js"]
)
async def test_other_names_beside_the_scripts_have_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/", "/playground", "/playground/"])
async def test_the_playground_may_use_camera_and_microphone(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert "Playground" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "camera=(self), microphone=(self)" in answer.headers["permissions-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_assets_are_kept_for_ever(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/playground-1a2b.js")

    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/assets/none.js", "/assets/..%2f..%2ftertulia.js", "/assets/%2e%2e/playground.html", "/assets"],
)
async def test_unknown_routes_and_files_outside_are_json_errors(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 404
    assert answer.json()["message"]


async def test_a_wrong_method_is_a_json_error(client: httpx.AsyncClient) -> None:
    answer = await client.get("/session/create")

    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/json")
    assert "GET" in answer.json()["message"]


async def test_a_defect_is_answered_without_details(server: Server, client: httpx.AsyncClient) -> None:
    (server.web / "tertulia.js").unlink()
    (server.web / "tertulia.js").mkdir()
    server.router_is_up = None  # type: ignore[assignment]  # what no check should say
    (server.docs / "broken.md").write_bytes(b"\xff\xff")

    answer = await client.get("/docs/broken")

    assert answer.status_code == 500
    assert "codec" not in answer.text
    assert answer.json()["message"]


async def test_the_playground_learns_its_session_as_a_moderator(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.get("/playground/config.json")
    config = answer.json()

    assert config["apiKey"] == server.playground.project.api_key
    assert config["sessionId"] == server.playground.session_id
    assert config["role"] == "moderator"
    assert set(config["tokens"]) == {"subscriber", "publisher", "publisheronly", "moderator"}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_playground_can_be_somebody_else(client: httpx.AsyncClient) -> None:
    config = (await client.get("/playground/config.json?role=subscriber")).json()

    assert config["role"] == "subscriber"
    assert (await client.get("/playground/config.json?role=king")).status_code == 404


async def test_foreign_pages_learn_no_token(client: httpx.AsyncClient) -> None:
    foreign = await client.get("/playground/config.json", headers={"Origin": "https://evil.example"})
    rebound = await client.get("/playground/config.json", headers={"Host": "evil.example:8080"})

    assert "access-control-allow-origin" not in foreign.headers
    assert rebound.status_code == 404


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.7:8080"])
async def test_the_playground_is_its_own_under_every_name_of_the_machine(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/playground/config.json", headers={"Host": host})).status_code == 200


async def test_a_production_server_hands_out_no_token(server: Server, tmp_path: Path) -> None:
    async with await server.start(tmp_path / "playground.json", development=False) as client:
        assert (await client.get("/playground/config.json")).status_code == 404


async def test_the_playground_stays_the_same_while_the_data_folder_does(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "playground.json"
    async with await server.start(file):
        first = server.playground
    async with await server.start(file):
        assert server.playground.session_id == first.session_id
        assert server.playground.project.api_key == first.project.api_key


async def test_health_tells_life_from_readiness(server: Server, client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/ready")).json() == {"status": "ready", "checks": {"router": True}}

    server.router_is_up = False

    assert (await client.get("/health/live")).status_code == 200
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (503, {"router": False})


async def test_a_page_may_ask_before_it_asks(client: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/session/create", headers=headers)

    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_every_route_is_described_and_everything_described_has_a_route(server: Server) -> None:
    routes = rest_routes(
        server.sessions,
        server.projects,
        Callbacks(server.callbacks, CountingIds(), server.clock),
        server.clock,
        server.rules,
    )
    served = {
        (method, re.sub(r"\{[^}]+\}", "{}", route.path.replace("{owner:owner}", "project")))
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (one.method, re.sub(r"\{[^}]+\}", "{}", path))
        for one in openapi.operations()
        for path in (one.path, *one.about.get("x-also", {}))
    }
    assert served == described


async def test_the_description_is_served_for_programs(server: Server, client: httpx.AsyncClient) -> None:
    folder = Path(server.docs) / "reference" / "api"
    folder.mkdir(parents=True)
    (folder / "openapi.json").write_text('{"openapi": "3.1.0"}')
    answer = await client.get("/docs/reference/api/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"
